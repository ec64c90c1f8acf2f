"""The list of runs: filtered, sorted by any setting or metric, named; and what follows a run that is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
import records
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from ryven_llm_nodes.gui.curves.runs import STYLES, Entry
from ryven_llm_nodes.gui.history.after import Afterwards
from ryven_llm_nodes.gui.history.run_pages import ComparisonPage, PlotGrid, SummaryPage
from ryven_llm_nodes.gui.history.runs_window import RunsWindow
from ryven_llm_nodes.gui.state.flow_state import AFTER
from ryven_llm_nodes.run.events import StageFinished, StageStarted
from ryven_llm_nodes.run.records.history import PastRun, past_runs
from ryven_llm_nodes.run.records.labels import Label, label_of, write_label

RATES = (3e-5, 1e-6, 2e-4)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def runs(data: Path, outputs: Path) -> list[PastRun]:
    """Three runs, the oldest first, with other rates; the higher the rate, the lower the loss."""
    return [
        records.record(data, outputs, flows.alone("sft", learning_rate=rate), sft=slope)
        for rate, slope in zip(RATES, (1.0, 0.5, 2.0), strict=True)
    ]


@pytest.fixture
def done() -> list[tuple[Any, ...]]:
    """What buttons did."""
    return []


@pytest.fixture
def window(outputs: Path, runs: list[PastRun], done: list[tuple[Any, ...]], qtbot: Any) -> RunsWindow:
    names = ("chat", "evaluate", "use", "open", "draw")
    after = Afterwards(*((lambda *a, name=name: done.append((name, *a))) for name in names))
    window = RunsWindow(outputs, lambda path: None, after=after)
    qtbot.addWidget(window)
    window.show()
    window.refresh()
    qtbot.waitUntil(lambda: len(window.runs) == len(past_runs(outputs)))
    qtbot.waitUntil(lambda: window.page is not None)
    return window


def shown(window: RunsWindow) -> list[str]:
    return [window.table.item(row, 0).text() for row in range(window.table.rowCount())]


def titles(window: RunsWindow) -> list[str]:
    return [window.table.horizontalHeaderItem(place).text() for place in range(window.table.columnCount())]


def column(window: RunsWindow, title: str) -> list[str]:
    place = next(i for i, name in enumerate(titles(window)) if name.startswith(title))
    return [window.table.item(row, place).text() for row in range(window.table.rowCount())]


def choose_column(window: RunsWindow, menu: str, title: str) -> None:
    window.runs_list.fill_menu()
    below = next(action.menu() for action in window.runs_list.menu.actions() if action.text() == menu)
    next(action for action in below.actions() if action.text() == title).trigger()


def click(window: RunsWindow, title: str) -> None:
    place = next(i for i, name in enumerate(titles(window)) if name.startswith(title))
    window.table.horizontalHeader().sectionClicked.emit(place)


def test_only_runs_that_fit_are_shown(window: RunsWindow, runs: list[PastRun], qtbot: Any) -> None:
    qtbot.keyClicks(window.runs_list.filter, "learning_rate<1e-4")
    assert shown(window) == [runs[1].name, runs[0].name]
    assert window.runs_list.count.text() == "2 of 3"
    qtbot.keyClicks(window.runs_list.filter, " nothing-like-it")
    assert window.list.sentence.text() == "No run fits the filter."
    window.runs_list.filter.clear()
    assert len(shown(window)) == 3


def test_sorted_by_any_setting_or_metric(window: RunsWindow, runs: list[PastRun]) -> None:
    choose_column(window, "Settings That Differ", "learning_rate")
    assert column(window, "sft.learning_rate") == ["0.0002", "1e-06", "3e-05"], "the newest is first"
    chosen = window.chosen()
    click(window, "sft.learning_rate")
    assert column(window, "sft.learning_rate") == ["1e-06", "3e-05", "0.0002"], "as numbers, not as text"
    assert window.chosen() == chosen, "what is selected stays so"
    choose_column(window, "Final Metrics", "loss")
    click(window, "sft.loss")
    click(window, "sft.loss")
    assert titles(window)[-2] == "sft.loss ▼"
    assert shown(window) == [runs[1].name, runs[0].name, runs[2].name]
    click(window, "sft.loss")
    assert shown(window) == [run.name for run in reversed(runs)]


def test_a_name_and_a_note_are_kept_with_the_record(window: RunsWindow, runs: list[PastRun], qtbot: Any) -> None:
    assert "name" not in titles(window)
    fields = window.page.label_fields
    qtbot.keyClicks(fields.name, "high rate")
    qtbot.keyClicks(fields.note, "try 1e-3 next")
    kept = Label("high rate", "try 1e-3 next")
    qtbot.waitUntil(lambda: label_of(runs[2].folder) == kept)
    qtbot.waitUntil(lambda: "name" in titles(window))
    assert column(window, "name") == ["high rate", "", ""]
    qtbot.wait(300)
    assert window.page.label_fields is fields, "the page is not built again below the one who types"
    assert fields.isVisible()
    qtbot.keyClicks(fields.name, "!")
    window.table.choose(str(runs[0].folder))
    qtbot.waitUntil(lambda: window.page.runs == (runs[0],))
    assert label_of(runs[2].folder).name == "high rate!", "what was typed last is kept, too"


def test_up_to_eight_are_compared(window: RunsWindow, runs: list[PastRun], qtbot: Any) -> None:
    write_label(runs[1].folder, Label("slow one"))
    window.refresh()
    qtbot.waitUntil(lambda: "name" in titles(window))
    window.table.choose(*(str(run.folder) for run in runs))
    qtbot.waitUntil(lambda: isinstance(window.page, ComparisonPage))
    page = window.page
    assert [entry.label.text() for entry in page.findChildren(Entry)] == [runs[0].name, "slow one", runs[2].name]
    rows = {page.table.item(row, 0).text(): row for row in range(page.table.rowCount())}
    values = [page.table.item(rows["sft.learning_rate"], place).text() for place in (1, 2, 3)]
    assert values == ["3e-05", "1e-06", "0.0002"]
    curves = page.findChildren(PlotGrid)[0].plots["loss"].curves
    assert [(curve.colour, curve.stroke) for curve in curves] == [(one.colour, one.stroke) for one in STYLES[:3]]


def test_more_than_eight_are_too_many(window: RunsWindow, data: Path, outputs: Path, qtbot: Any) -> None:
    for _ in range(6):
        records.record(data, outputs, flows.alone("sft"))
    window.refresh()
    qtbot.waitUntil(lambda: len(window.runs) == 9)
    window.table.choose(*window.runs)
    assert window.detail_pages.sentence.text() == "At most 8 runs are compared; 9 are selected."


def test_what_follows_a_run_that_is_done(
    window: RunsWindow, runs: list[PastRun], outputs: Path, done: list[tuple[Any, ...]], qtbot: Any
) -> None:
    header = window.page.headers["sft"]
    assert header.buttons == {}, "nothing was left"
    folder = records.keep(outputs / "sft", "sft")
    window.table.choose(str(runs[0].folder))
    qtbot.waitUntil(lambda: window.page.runs == (runs[0],))
    buttons = window.page.headers["sft"].buttons
    assert list(buttons) == ["Chat", "Evaluate Model", "Use in New Flow", "Open Folder"]
    for button in buttons.values():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert [call[0] for call in done] == ["chat", "evaluate", "use", "open"]
    qtbot.mouseClick(window.draw_button, Qt.MouseButton.LeftButton)
    assert done.pop() == ("draw", [runs[0]])
    assert all(str(call[-1 if call[0] in ("evaluate", "open") else 1]).endswith("sft") for call in done)
    assert folder.exists()


def test_curves_come_before_hashes(window: RunsWindow) -> None:
    page = window.page
    assert isinstance(page, SummaryPage)
    places = {type(page.column.itemAt(i).widget()): i for i in range(page.column.count())}
    texts = [i for i in range(page.column.count()) if isinstance(page.column.itemAt(i).widget(), QLabel)]
    record = next(i for i in texts if "record:" in page.column.itemAt(i).widget().text())
    assert places[PlotGrid] < record


def test_a_flow_begins_with_the_model_of_a_run(
    open_editor: Callable[..., Any], data: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = open_editor(flows.alone("sft"))
    run = records.record(data, Path.cwd() / "outputs", flows.alone("sft"))
    folder = records.keep(Path.cwd() / "outputs" / "sft", "sft")
    editor.shell.results.use(folder, "sft")
    qtbot.waitUntil(lambda: editor.flow.title == "sft further" and len(editor.flow.nodes) == 1)
    assert editor.flow.nodes[0].params["path"].startswith("./outputs/")
    editor.shell.results.evaluate(run, "sft", folder)
    qtbot.waitUntil(lambda: editor.flow.title == "evaluate sft" and len(editor.flow.nodes) == 3)
    assert {node.title for node in editor.flow.nodes} == {"Load Dataset", "Load Model", "Evaluate"}
    chosen: list[Any] = []
    monkeypatch.setattr("ryven_llm_nodes.gui.chat.window.ChatWindow.show", lambda self: chosen.append(self))
    editor.shell.results.chat(folder, "mine")
    assert chosen[0].columns[0].location == str(folder)


def test_the_menu_of_a_node_that_is_done_has_the_same(open_editor: Callable[..., Any], data: Path, qtbot: Any) -> None:
    editor = open_editor(flows.alone("sft"))
    node, shell = editor.node("sft"), editor.shell
    shell.document.place(data / "flow.json")
    assert not set(AFTER) & set(node.gui.actions), "nothing was left yet"
    folder = records.keep(Path.cwd() / "outputs" / "sft", "sft")
    editor.state.begin(shell.runs.snapshot(editor.flow))
    for event in (StageStarted("sft"), StageFinished("sft", str(folder), 1.0)):
        editor.state.model._take(event)
    assert list(node.gui.actions)[:4] == list(AFTER)
    node.gui.actions["Evaluate Model"]["method"]()
    qtbot.waitUntil(lambda: editor.flow.title == "evaluate sft" and len(editor.flow.nodes) == 3)
