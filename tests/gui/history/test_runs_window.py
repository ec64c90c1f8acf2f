"""The window of past runs: the list, a run, two side by side, and what its buttons do."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flows
import pytest
import records
from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QMessageBox

from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.history import runs_window
from ryven_llm_nodes.gui.history.run_pages import ComparisonPage, PlotGrid, SummaryPage
from ryven_llm_nodes.gui.history.runs_window import RunsWindow
from ryven_llm_nodes.gui.style.colours import BAD, GOOD, RUN_COLOURS
from ryven_llm_nodes.host.opening import open_file
from ryven_llm_nodes.program import build
from ryven_llm_nodes.program.project import COLUMN
from ryven_llm_nodes.run.records.history import PastRun, past_runs
from ryven_llm_nodes.run.records.record import Record
from ryven_llm_nodes.run.store.alone import alone_in


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def opened() -> list[Path]:
    return []


@pytest.fixture
def show(outputs: Path, opened: list[Path], qtbot: Any) -> Callable[[], RunsWindow]:
    """Shows the window, and waits until it has found the runs."""

    def make() -> RunsWindow:
        window = RunsWindow(outputs, opened.append)
        qtbot.addWidget(window)
        window.show()
        window.refresh()
        count = len(past_runs(outputs))
        qtbot.waitUntil(lambda: len(window.runs) == count)
        return window

    return make


def cells(window: RunsWindow, row: int) -> list[str]:
    return [window.table.item(row, column).text() for column in range(window.table.columnCount())]


def choose(window: RunsWindow, qtbot: Any, *runs: PastRun) -> Any:
    """Chooses runs, and waits for the page about them."""
    window.table.choose(*(str(run.folder) for run in runs))
    folders = {run.folder for run in runs}
    qtbot.waitUntil(lambda: window.page is not None and {run.folder for run in window.page.runs} == folders)
    return window.page


def texts(page: Any) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel))


def test_newest_first_with_status_in_colour(data: Path, outputs: Path, show: Callable[[], RunsWindow]) -> None:
    first = records.record(data, outputs, flows.alone("sft"))
    second = records.record(data, outputs, flows.alone("dpo"), fails="dpo")
    window = show()
    assert cells(window, 0) == [second.name, "dpo", "failed", "0 s", "dpo failed (11 of 20)"]
    assert cells(window, 1) == [first.name, "sft", "done", "0 s", "sft done"]
    colours = [window.table.item(row, 2).data(Qt.ItemDataRole.ForegroundRole) for row in (0, 1)]
    assert colours == [QColor(BAD), QColor(GOOD)]
    assert "no luck" in window.table.item(0, 2).toolTip()


def test_before_the_first_run_it_says_what_to_do(show: Callable[[], RunsWindow], qtbot: Any) -> None:
    window = show()
    qtbot.waitUntil(lambda: window.list.sentence.text() == "No runs yet: F5 runs the flow.")
    assert window.list.currentIndex() == 0
    assert not window.flow_button.isEnabled()
    assert not window.delete_button.isEnabled()


def test_one_run_in_full(data: Path, outputs: Path, show: Callable[[], RunsWindow], qtbot: Any) -> None:
    run = records.record(data, outputs, flows.alone("sft"), fails="sft")
    window = show()
    page = choose(window, qtbot, run)
    assert isinstance(page, SummaryPage)
    assert run.name in texts(page)
    assert "no luck" in texts(page)
    assert str(run.folder) in texts(page)
    (grid,) = page.findChildren(PlotGrid)
    (curve,) = grid.plots["loss"].curves
    assert curve.series.points == run.metrics("sft")["loss"]
    assert len(curve.series.points) == 11


def test_two_runs_side_by_side(data: Path, outputs: Path, show: Callable[[], RunsWindow], qtbot: Any) -> None:
    first = records.record(data, outputs, flows.alone("grpo"))
    changed = flows.alone("grpo", learning_rate=0.5)
    nodes = changed["flows"]["grpo"]["nodes"]
    reward = next(node for node in nodes if node["additional data"]["name"] == "variety")
    reward["additional data"]["params"]["code"] = flows.REWARD.replace("<", "").replace("max(", "min(")
    second = records.record(data, outputs, changed, grpo=2.0)
    window = show()
    page = choose(window, qtbot, second, first)
    assert isinstance(page, ComparisonPage)
    rows = {page.table.item(row, 0).text(): row for row in range(page.table.rowCount())}
    row = rows["grpo.learning_rate"]
    assert [page.table.item(row, column).text() for column in (1, 2)] == ["0.001", "0.5"], "the older one comes first"
    diff = next(label.text() for label in page.findChildren(QLabel) if "min(" in label.text())
    assert f'<span style="color: {GOOD}">+' in diff
    assert f'<span style="color: {BAD}">-' in diff
    (grid,) = page.findChildren(PlotGrid)
    curves = grid.plots["loss"].curves
    assert [curve.colour for curve in curves] == list(RUN_COLOURS[:2])
    assert [curve.series.points for curve in curves] == [run.metrics("grpo")["loss"] for run in (first, second)]
    assert curves[0].series.points != curves[1].series.points
    grid.plots["loss"].pointed.emit(7.0)
    assert {plot.cursor_step for plot in grid.plots.values()} == {7.0}


def test_the_same_run_twice(data: Path, outputs: Path, show: Callable[[], RunsWindow], qtbot: Any) -> None:
    runs = [records.record(data, outputs, flows.alone("sft")) for _ in range(2)]
    window = show()
    page = choose(window, qtbot, *runs)
    assert "Same flow, data and versions." in texts(page)
    assert "the same curves in all" in texts(page)
    assert not page.findChildren(PlotGrid)


def test_keys_alone_will_do(data: Path, outputs: Path, show: Callable[[], RunsWindow], qtbot: Any) -> None:
    runs = [records.record(data, outputs, flows.alone("sft"), sft=slope) for slope in (1.0, 2.0)]
    window = show()
    qtbot.waitUntil(lambda: isinstance(window.page, SummaryPage))
    assert window.chosen() == [runs[1]], "the newest is shown at first"
    qtbot.keyClick(window.table, Qt.Key.Key_Return)
    assert window.isVisible()
    qtbot.keyClick(window.table, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: window.chosen() == [runs[0]])
    qtbot.keyClick(window.table, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: isinstance(window.page, ComparisonPage))
    assert window.chosen() == runs


def test_the_flow_of_a_run_is_opened(
    data: Path, outputs: Path, show: Callable[[], RunsWindow], opened: list[Path], qtbot: Any
) -> None:
    runs = [records.record(data, outputs, flows.alone("sft")) for _ in range(2)]
    window = show()
    choose(window, qtbot, *runs)
    assert not window.flow_button.isEnabled()
    assert opened == []
    choose(window, qtbot, runs[0])
    window.flow_button.click()
    assert opened == [runs[0].folder]


def test_a_record_is_deleted_once_it_is_meant(
    data: Path, outputs: Path, show: Callable[[], RunsWindow], asked: list[str], qtbot: Any
) -> None:
    runs = [records.record(data, outputs, flows.alone("sft")) for _ in range(2)]
    kept = records.keep(outputs / "sft", "sft")
    window = show()
    choose(window, qtbot, runs[0])
    qtbot.keyClick(window.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(window.runs) == 1)
    assert runs[0].name in asked[0]
    assert not runs[0].folder.exists()
    assert runs[1].folder.exists()
    assert kept.exists()


def test_a_record_that_cannot_be_deleted_is_said(
    data: Path, outputs: Path, show: Callable[[], RunsWindow], asked: list[str], qtbot: Any, monkeypatch: Any
) -> None:
    run = records.record(data, outputs, flows.alone("sft"))
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *a: said.append(a[2]))

    def refuse(folder: Path) -> None:
        raise PermissionError(1, "not permitted")

    window = show()
    choose(window, qtbot, run)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    window.ask_delete()
    qtbot.waitUntil(lambda: bool(said))
    assert "not permitted" in said[0]


def test_a_run_that_goes_on_is_not_deleted(
    data: Path, outputs: Path, show: Callable[[], RunsWindow], asked: list[str], qtbot: Any
) -> None:
    run = records.record(data, outputs, flows.alone("sft"))
    summary = run.folder / "run.json"
    summary.write_text(summary.read_text().replace('"status": "done"', '"status": "running"'))
    with alone_in(outputs / "sft"):
        window = show()
        assert cells(window, 0)[2] == "running"
        choose(window, qtbot, run)
        assert not window.delete_button.isEnabled()
        window.ask_delete()
    assert asked == []
    window.refresh()
    qtbot.waitUntil(lambda: cells(window, 0)[2] == "failed: killed")
    assert window.chosen()[0].folder == run.folder, "what was chosen stays so"


def test_the_window_lives_while_a_disk_takes_its_time(
    data: Path, outputs: Path, show: Callable[[], RunsWindow], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = (records.record(data, outputs, flows.alone("sft")) for _ in range(2))
    window = show()
    qtbot.waitUntil(lambda: isinstance(window.page, SummaryPage))
    go_on, threads = threading.Event(), []

    def slow(run: PastRun) -> Any:
        threads.append(threading.current_thread())
        go_on.wait(10)
        return summarize(run)

    summarize = runs_window.summarize
    monkeypatch.setattr(runs_window, "summarize", slow)
    start = time.monotonic()
    window.table.choose(str(run.folder))
    assert time.monotonic() - start < 5
    qtbot.waitUntil(lambda: bool(threads))
    assert threads[0] is not threading.main_thread()
    qtbot.waitUntil(lambda: window.detail_pages.currentIndex() == 0)
    assert window.detail_pages.sentence.text() == "Reading ..."
    go_on.set()
    qtbot.waitUntil(lambda: window.detail_pages.currentIndex() == 1)
    assert run.name in texts(window.page)


def test_what_comes_too_late_is_dropped(qtbot: Any, qapp: Any) -> None:
    go_on, came = threading.Event(), []
    gone, here = QObject(), QObject()
    background().start(go_on.wait, gone, came.append)
    background().start(go_on.wait, here, came.append)
    gone.deleteLater()
    qtbot.wait(20)
    go_on.set()
    qtbot.waitUntil(lambda: came == [True])
    background().wait(5)
    qtbot.wait(20)
    assert came == [True]


def test_an_error_of_a_thread_is_not_lost(qtbot: Any, qapp: Any) -> None:
    def fail() -> None:
        raise ZeroDivisionError("in the thread")

    with qtbot.captureExceptions() as caught:
        background().start(fail, qapp, lambda value: None)
        qtbot.waitUntil(lambda: bool(caught))
    assert caught[0][0] is ZeroDivisionError


def test_the_flow_of_a_run_lies_as_it_was_drawn(open_editor: Callable[..., Any], data: Path, outputs: Path) -> None:
    editor = open_editor(flows.chain())
    editor.settle(300)
    editor.node("sft").gui.item.setPos(333, 444.5)
    before = {node.name: node.gui.item.pos() for node in editor.flow.nodes}
    assert before["base"].x() % COLUMN, "what a program has placed is spread"
    graph = replace(editor.shell.runs.snapshot(editor.flow).graph, root=data)
    with Record(build(graph), outputs, lambda event: None) as written:
        pass
    for path in (written.folder, written.folder / "script.py"):
        again = open_editor(open_file(path).content)
        again.settle(300)
        assert {node.name: node.gui.item.pos() for node in again.flow.nodes} == before


def test_the_menu_shows_the_window(open_editor: Callable[..., Any], data: Path, monkeypatch: Any, qtbot: Any) -> None:
    editor = open_editor(flows.alone("sft"))
    opened: list[Path] = []
    monkeypatch.setattr("ryven_llm_nodes.gui.document.opening.start_another", opened.append)
    run = records.record(data, Path.cwd() / "outputs", flows.alone("sft"))
    editor.shell.actions["runs"].trigger()
    window = editor.shell.history.runs
    qtbot.waitUntil(lambda: len(window.runs) == 1)
    choose(window, qtbot, run)
    window.flow_button.click()
    assert opened == [run.folder]
    records.record(data, Path.cwd() / "outputs", flows.alone("sft"))
    editor.shell.history.refresh()
    qtbot.waitUntil(lambda: len(window.runs) == 2)
    assert window.chosen() == [run]
    window.close()
