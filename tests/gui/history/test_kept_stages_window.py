"""The window of cached stages: sizes, states, and deleting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
import records
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from ryven_llm_nodes.gui.history import kept_stages_window as kept_window
from ryven_llm_nodes.gui.history.kept_stages_window import KeptWindow
from ryven_llm_nodes.run.store.alone import alone_in
from ryven_llm_nodes.run.store.kept import Kept, all_kept


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def show(outputs: Path, qtbot: Any) -> Callable[[], KeptWindow]:
    def make() -> KeptWindow:
        window = KeptWindow(outputs)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.pages.currentIndex() == 1)
        return window

    return make


def rows(window: KeptWindow) -> list[list[str]]:
    table = window.table
    return [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount())]


def left(outputs: Path) -> list[str]:
    return [kept.folder.name for folder in sorted(outputs.glob("*/")) for kept in all_kept(folder)]


def test_states_and_sizes(outputs: Path, show: Callable[[], KeptWindow]) -> None:
    records.keep(outputs / "one", "sft", 3_000_000)
    records.keep(outputs / "one", "dpo", 20_000, finished=False)
    records.keep(outputs / "two", "ppo", 2_000_000, **{"ended at": [60, 100]})
    window = show()
    since = "2026-01-02 03:04"
    assert rows(window) == [
        ["one", "dpo", "stopped", since, "20 kB"],
        ["one", "sft", "finished", since, "3.0 MB"],
        ["two", "ppo", "ended at step 60 of 100", since, "2.0 MB"],
    ]
    assert window.total.text() == "3 cached stages, 5.0 MB"
    assert not window.selected_button.isEnabled()
    assert window.all_button.isEnabled()


def test_of_earlier_settings_there_is_the_name_that_it_had(outputs: Path, show: Callable[[], KeptWindow]) -> None:
    records.keep(outputs / "one", "older", names=["sft"])
    records.keep(outputs / "one", "newer", names=["sft"])
    (outputs / "one/older").unlink()
    (outputs / "one/newer").rename(outputs / "one/sft")
    window = show()
    assert [row[1] for row in rows(window)] == ["sft", "sft (earlier)"]
    assert "Run with those settings reuses it" in window.table.item(1, 1).toolTip()


def test_where_nothing_is_kept_it_says_so(outputs: Path, qtbot: Any) -> None:
    window = KeptWindow(outputs)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: "Nothing is cached in" in window.pages.sentence.text())
    assert not window.all_button.isEnabled()


def test_only_what_is_chosen_is_deleted(
    outputs: Path, show: Callable[[], KeptWindow], asked: list[str], qtbot: Any
) -> None:
    for stage in ("sft", "ppo", "dpo"):
        records.keep(outputs / "one", stage, 1_000_000)
    window = show()
    window.table.choose(*(str(outputs / "one" / "store" / stage) for stage in ("sft", "dpo")))
    assert window.selected_button.isEnabled()
    qtbot.keyClick(window.table, Qt.Key.Key_Delete)
    assert asked[0].startswith("Delete 2 cached stages, 2.0 MB?")
    qtbot.waitUntil(lambda: len(rows(window)) == 1)
    assert left(outputs) == ["ppo"]
    assert window.total.text() == "1 cached stage, 1.0 MB"
    window.all_button.click()
    qtbot.waitUntil(lambda: window.pages.currentIndex() == 0)
    assert left(outputs) == []


def test_no_is_no(outputs: Path, show: Callable[[], KeptWindow], qtbot: Any, monkeypatch: Any) -> None:
    records.keep(outputs / "one", "sft")
    monkeypatch.setattr(QMessageBox, "question", lambda *a: QMessageBox.StandardButton.No)
    window = show()
    window.all_button.click()
    qtbot.wait(100)
    assert left(outputs) == ["sft"]


def test_what_a_run_is_using_stays(outputs: Path, show: Callable[[], KeptWindow], asked: list[str], qtbot: Any) -> None:
    records.keep(outputs / "busy", "sft")
    records.keep(outputs / "free", "dpo")
    with alone_in(outputs / "busy"):
        window = show()
        assert rows(window)[0][:3] == ["busy", "sft", "in use by a run"]
        assert str(outputs / "busy") in window.note.text()
        window.table.selectAll()
        assert window.table.chosen_keys() == [str(outputs / "free" / "store" / "dpo")]
        window.all_button.click()
        assert asked[0].startswith("Delete 1 cached stage,")
        qtbot.waitUntil(lambda: left(outputs) == ["sft"])
        qtbot.waitUntil(lambda: len(rows(window)) == 1)
        assert not window.all_button.isEnabled()
    window.refresh()
    qtbot.waitUntil(lambda: window.all_button.isEnabled())
    assert not window.note.isVisible()


def test_a_run_that_begins_meanwhile_is_not_robbed(
    outputs: Path, show: Callable[[], KeptWindow], asked: list[str], qtbot: Any, monkeypatch: Any
) -> None:
    records.keep(outputs / "one", "sft")
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *a: said.append(a[2]))
    window = show()
    with alone_in(outputs / "one"):
        window.all_button.click()
        qtbot.waitUntil(lambda: bool(said))
    assert "a run is writing to" in said[0]
    assert left(outputs) == ["sft"]


def test_the_window_lives_while_sizes_are_measured(outputs: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    records.keep(outputs / "one", "sft", 1_000_000)
    go_on, threads = threading.Event(), []

    def slow(outputs: Path) -> Any:
        threads.append(threading.current_thread())
        go_on.wait(10)
        return find(outputs)

    find = kept_window.find_kept
    monkeypatch.setattr(kept_window, "find_kept", slow)
    window = KeptWindow(outputs)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: bool(threads))
    assert threads[0] is not threading.main_thread()
    assert "Measuring" in window.pages.sentence.text()
    go_on.set()
    qtbot.waitUntil(lambda: window.total.text() == "1 cached stage, 1.0 MB")


def test_a_folder_that_changes_while_it_is_measured(
    outputs: Path, show: Callable[[], KeptWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    records.keep(outputs / "one", "sft")

    def vanish(kept: Kept) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(Kept, "size", property(vanish))
    assert rows(show())[0][4] == "?"


def test_the_menu_shows_the_window(open_editor: Callable[..., Any], qtbot: Any) -> None:
    editor = open_editor(flows.alone("sft"))
    records.keep(Path.cwd() / "outputs" / "sft", "sft")
    editor.shell.actions["kept"].trigger()
    window = editor.shell.history.kept
    qtbot.waitUntil(lambda: len(rows(window)) == 1)
    editor.shell.actions["kept"].trigger()
    assert editor.shell.history.kept is window
    window.close()
