"""The start page, and flows from templates, data and configurations."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QFont, QFontMetricsF
from qtpy.QtWidgets import QTreeWidget

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadDataset, LoadModel
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.start.cards import PADDING
from ryven_llm_nodes.gui.start.facts import Machine, last_result, runs_here
from ryven_llm_nodes.gui.start.report import report
from ryven_llm_nodes.gui.state.recent import recent, remember
from ryven_llm_nodes.program import read_flow, read_live_flow
from ryven_llm_nodes.program.graph import Graph, Wire
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.run.records.record import RECORDS
from ryven_llm_nodes.templates import ABOUT, TEMPLATES


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests."""
    return shared


def kinds(editor: Any) -> set[type]:
    return {type(node) for node in editor.flow.nodes}


def drop(view: Any, *paths: Path, at: QPoint | None = None) -> None:
    """Drops files on the canvas, as a file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where, buttons = at or QPoint(300, 200), (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(where, Qt.DropAction.CopyAction, mime, *buttons)
    view.dragEnterEvent(enter)
    assert enter.isAccepted()
    view.dropEvent(QDropEvent(QPointF(where), Qt.DropAction.CopyAction, mime, *buttons))


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What message boxes say."""
    from qtpy.QtWidgets import QMessageBox

    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *a: said.append(a[2]))
    return said


def card(page: Any, title: str) -> Any:
    cards = (*page.beginnings.cards, *page.recent.cards, *page.templates.cards)
    return next(one for one in cards if one.text() == title)


class TestPage:
    def test_it_covers_the_window_until_something_is_chosen(self, editor: Any) -> None:
        editor.window.show()
        editor.shell.actions["new"].trigger()
        page = editor.shell.starting.page
        assert page.isVisible()
        assert page.geometry().bottom() >= editor.window.height() - 2
        editor.qtbot.mouseClick(card(page, "Learn from preferences"), Qt.MouseButton.LeftButton)
        editor.settle()
        assert not page.isVisible()
        assert DPO in kinds(editor)

    @pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
    def test_by_keyboard_alone(self, editor: Any, key: Qt.Key) -> None:
        editor.window.show()
        editor.shell.starting.show()
        page = editor.shell.starting.page
        page.templates.cards[0].setFocus()
        editor.qtbot.keyClick(page.templates.cards[0], key)
        editor.settle()
        assert SFT in kinds(editor)
        editor.shell.starting.show()
        editor.qtbot.keyClick(page, Qt.Key.Key_Escape)
        assert not page.isVisible()

    def test_recent_flows_with_picture_and_result(self, editor: Any, tmp_path: Path) -> None:
        (tmp_path / "broken.json").write_text("{")
        for name in ("broken.json", "mine.json"):
            path = tmp_path / name
            remember(path if path.exists() else flows.save(flows.alone("sft"), path))
        editor.shell.starting.show()
        mine, broken = editor.shell.starting.page.recent.cards
        assert (mine.text(), mine.shown.lines[-1][0], mine.shown.picture is None) == ("mine", "not run yet", False)
        assert (broken.text(), broken.shown.picture) == ("broken", None)
        mine.click()
        assert editor.shell.document.path == tmp_path / "mine.json"
        assert read_live_flow(editor.flow, tmp_path).digest == read_flow(tmp_path / "mine.json").digest
        assert not editor.shell.document.modified
        assert not editor.view._undo_stack.canUndo()

    def test_a_window_that_was_used_is_left_alone(self, editor: Any, tmp_path: Path, monkeypatch: Any) -> None:
        opened: list[Path] = []
        monkeypatch.setattr(editor.shell.opening, "open_path", opened.append)
        editor.place(SFT)
        editor.shell.starting.open_path(flows.save(flows.alone("sft"), tmp_path / "mine.json"))
        assert (opened, kinds(editor)) == ([tmp_path / "mine.json"], {SFT})

    def test_what_is_gone_is_not_listed(self, editor: Any, tmp_path: Path) -> None:
        remember(flows.save(flows.alone("sft"), tmp_path / "mine.json"))
        (tmp_path / "mine.json").unlink()
        assert recent() == []

    def test_it_is_there_where_nothing_is_open(self, start: Callable[..., Any]) -> None:
        shell = start()
        assert shell.starting.page.isVisibleTo(shell.window)

    def test_all_text_has_its_room(self, editor: Any) -> None:
        """What a card elides is its path, or a list of names."""
        font = QFont("Poppins")
        font.setPixelSize(11)
        editor.shell.starting.show()
        for one in editor.shell.starting.page.beginnings.cards:
            assert QFontMetricsF(font).horizontalAdvance(one.shown.lines[0][0]) <= one.width() - 2 * PADDING


class TestBeginning:
    def test_data_dropped_on_an_empty_canvas(self, editor: Any, data: Path) -> None:
        lines = editor.log()
        drop(editor.view, data / "pairs.jsonl")
        editor.settle()
        assert {LoadDataset, LoadModel, DPO} <= kinds(editor)
        assert any("preference pairs, for DPO" in line for line in lines)
        editor.view._undo_stack.undo()
        assert editor.flow.nodes == []

    def test_data_dropped_next_to_nodes(self, editor: Any, data: Path) -> None:
        editor.place(SFT)
        drop(editor.view, data / "pairs.jsonl")
        (made,) = (node for node in editor.flow.nodes if isinstance(node, LoadDataset))
        assert made.params == {"path": str(data / "pairs.jsonl")}
        assert kinds(editor) == {SFT, LoadDataset}
        editor.view._undo_stack.undo()
        assert kinds(editor) == {SFT}

    def test_a_model_becomes_load_model_where_it_is_dropped(self, editor: Any, data: Path) -> None:
        drop(editor.view, data / "model", at=QPoint(240, 180))
        (made,) = editor.flow.nodes
        assert (type(made), made.params) == (LoadModel, {"path": str(data / "model")})
        assert (made.gui.item.pos() - editor.view.mapToScene(QPoint(240, 180))).manhattanLength() < 2

    def test_a_configuration(self, editor: Any, tmp_path: Path, data: Path) -> None:
        (tmp_path / "my-grpo.yaml").write_text(
            "model_name_or_path: owner/model\ndataset_name: owner/rows\nreward_funcs: [think_format_reward]\nfoo: 1\n"
        )
        lines = editor.log()
        drop(editor.view, tmp_path / "my-grpo.yaml")
        editor.settle()
        assert GRPO in kinds(editor)
        assert editor.flow.title == "my-grpo"
        assert any("my-grpo.yaml > foo: is no argument" in line for line in lines)

    def test_a_second_flow_gets_a_tab_of_its_own(self, editor: Any, data: Path) -> None:
        first = editor.flow
        editor.place(SFT)
        editor.shell.starting.use_template("dpo")
        editor.settle()
        assert editor.flow is not first
        assert (kinds(editor) >= {DPO}, len(first.nodes)) == (True, 1)

    def test_what_cannot_be_used(self, editor: Any, refused: list[str], tmp_path: Path) -> None:
        (tmp_path / "odd.csv").write_text("height,width\n1,2\n")
        (tmp_path / "odd.yaml").write_text("a: [")
        drop(editor.view, tmp_path / "odd.csv")
        drop(editor.view, tmp_path / "odd.yaml")
        assert editor.flow.nodes == []
        assert ["no method uses" in refused[0], "is not YAML" in refused[1]] == [True, True]

    def test_the_flow_of_data_checks_clean(self, editor: Any, data: Path, tmp_path: Path) -> None:
        shutil.copytree(data / "model", tmp_path / "model")
        rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 8
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        editor.shell.starting.take([tmp_path / "rows.jsonl", tmp_path / "model"])
        editor.settle(500)
        assert not editor.state.incomplete
        assert not editor.state.findings


def rows_of(graph: Graph, wire: Wire) -> float:
    """The rows that a wire of a template carries."""
    step = graph.by_name[wire.step]
    if "dataset" in step.wires:
        share = step.setting("test_size") if wire.port in ("train", "test") else 0
        return rows_of(graph, step.wires["dataset"]) * (share if wire.port == "test" else 1 - share)
    if parts := [wire for port, wire in step.wires.items() if port.startswith("dataset_")]:
        return sum(rows_of(graph, part) for part in parts)
    if step.node.holds_code:
        return int(re.findall(r"\[:(\d+)\]", step.setting("code"))[0])
    slice_ = step.setting("split").partition("[")[2].rstrip("]").split(":")
    found = [int(slice_[1]) - int(slice_[0] or 0)] if len(slice_) == 2 else []
    return min([*found, *([step.setting("limit")] if step.setting("limit") else [])])


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_steps_of_templates(name: str) -> None:
    """Those that are set; else rows, passes and completions over the batch."""
    total = 0.0
    graph = graph_of_project(TEMPLATES[name](), Path())
    for step in graph.steps:
        if "per_device_train_batch_size" not in step.node.all_parameters():
            continue
        if step.setting("max_steps") > 0:
            total += step.setting("max_steps")
            continue
        batch = step.setting("per_device_train_batch_size") * step.setting("gradient_accumulation_steps")
        each = step.setting("num_generations") if step.node is GRPO else 1
        passes = step.setting("num_iterations") if step.node.stem == "ppo" else 1
        total += rows_of(graph, step.wires["dataset"]) * each * passes * step.setting("num_train_epochs") / batch
    assert total == pytest.approx(ABOUT[name].steps)


def test_whether_a_template_runs_here() -> None:
    small, large = ABOUT["sft"], ABOUT["full"]
    assert runs_here(small, Machine(8, False))[0] == "about 5 GB; runs here"
    assert runs_here(large, Machine(24, False))[0] == "about 30 GB; here are 24 GB"
    assert runs_here(large, Machine(64, False))[0] == "about 30 GB; needs a GPU"
    assert runs_here(large, Machine(24, True))[0] == "about 30 GB; there is a GPU"


def test_a_report_of_an_import_shows_long_sentences_in_lines(editor: Any) -> None:
    editor.window.show()
    told = [Problem(sentence, "", "key", weight="warning") for sentence in ("short", "a word and " * 60)]
    dialog = report(editor.window, "Imported", told)
    table = dialog.findChild(QTreeWidget)
    editor.settle()
    short, long = (table.visualItemRect(table.topLevelItem(row)).height() for row in (0, 1))
    assert long > 4 * short
    dialog.close()


def test_the_last_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert last_result("mine") is None
    (record := tmp_path / "outputs" / "mine" / RECORDS / "1").mkdir(parents=True)
    (record / "run.json").write_text('{"flow": "mine", "status": "done", "began": "2026-01-02T03:04:05"}')
    assert last_result("mine")[0] == "done · 2026-01-02 03:04"
