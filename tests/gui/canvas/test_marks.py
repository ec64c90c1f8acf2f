"""Marks on nodes: they go with their cause, follow their node, and can be read at every zoom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
from qtpy.QtCore import QEvent, QObject, QPointF, QRect, QRectF

from ryven_llm_nodes.catalogue import DPO, SFT, LoadDataset, LoadModel
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.canvas.room import GAP
from ryven_llm_nodes.gui.state.edits import rename, set_value
from ryven_llm_nodes.host.canvas import place_node


def check(editor: Any) -> None:
    """Check (F6), until its result is shown."""
    with editor.qtbot.waitSignal(
        editor.shell.commands.status, timeout=30_000, check_params_cb=lambda t: "..." not in t
    ):
        editor.shell.commands.check()
    editor.settle(400)


def marked(node: Any) -> list[str]:
    return [one.parameter for one in node.gui.mark.findings]


class TestCause:
    def test_a_wire_that_was_missing_takes_its_mark_along(self, editor: Any) -> None:
        model, sft = editor.place(LoadModel, path="m"), editor.place(SFT)
        check(editor)
        assert {"model", "dataset"} <= set(marked(sft))
        editor.wire(model, sft, "model")
        editor.qtbot.waitUntil(lambda: "model" not in marked(sft))
        assert "dataset" in marked(sft)

    def test_a_name_that_is_free_again_takes_the_marks_of_both_along(self, editor: Any) -> None:
        one, other = editor.place(LoadModel, "same", path="m"), editor.place(LoadModel, "same", path="n")
        check(editor)
        assert one.gui.mark.isVisible() or other.gui.mark.isVisible()
        rename(other, "another")
        named = lambda: [f for node in (one, other) for f in node.gui.mark.findings if "same" in f.message]  # noqa: E731
        editor.qtbot.waitUntil(lambda: not named())

    def test_what_only_a_check_finds_goes_once_something_before_it_changes(self, editor: Any) -> None:
        rows, sft = editor.place(LoadDataset, "rows", path="a.jsonl"), editor.place(SFT, "sft")
        editor.wire(rows, sft, "dataset")
        editor.settle(400)
        found = Problem("10 of 12 rows are dropped.", "SFT 'sft'", "dataset", "sft", "warning")
        editor.state.show_problems([found], editor.shell.runs.snapshot(editor.flow))
        editor.settle(400)
        assert found in sft.gui.mark.findings
        place_node(editor.view, LoadModel)
        editor.settle(600)
        assert found in sft.gui.mark.findings, "nothing that it depends on"
        set_value(rows, "path", "b.jsonl")
        editor.qtbot.waitUntil(lambda: found not in sft.gui.mark.findings)

    def test_a_check_marks_the_nodes_that_it_was_about_whatever_was_removed_meanwhile(self, editor: Any) -> None:
        base, sft = editor.place(LoadModel, "base", path="m"), editor.place(SFT, "sft")
        other = editor.place(LoadModel, "other", path="n")
        drawn = editor.shell.runs.snapshot(editor.flow)
        editor.select(base)
        editor.view.remove_selected_components__cmd()
        editor.settle(200)
        at = {"base": "Load Model 'base'", "sft": "SFT 'sft'", "other": "Load Model 'other'"}
        editor.state.show_problems([Problem("is wrong; correct it.", at[step], "", step) for step in at], drawn)
        assert {node: [one.step for one in found] for node, found in editor.state.findings.items() if found} == {
            sft: ["sft"],
            other: ["other"],
        }

    def test_a_node_that_comes_back_has_the_marks_of_now(self, editor: Any) -> None:
        base = editor.place(LoadModel, "base", path="m")
        found = Problem("is wrong; correct it.", "Load Model 'base'", "", "base")
        editor.state.show_problems([found], editor.shell.runs.snapshot(editor.flow))
        assert base.gui.mark.findings == (found,)
        editor.select(base)
        editor.view.remove_selected_components__cmd()
        editor.state.clear_problems()
        assert base.gui.mark.findings == (found,), "what is not on the canvas is left alone"
        editor.view._undo_activated()
        editor.qtbot.waitUntil(lambda: base.gui.mark.findings == ())

    def test_a_copy_gets_a_name_of_its_own_and_the_original_no_error(self, editor: Any) -> None:
        model = editor.place(LoadModel, "base", path="m")
        editor.select(model)
        editor.view._copy()
        editor.view._paste()
        editor.view._paste()
        assert [node.name for node in editor.flow.nodes] == ["base", "base_2", "base_3"]
        editor.settle(600)
        assert not any("base" in one.message for one in editor.state.findings.get(model, ()))


class TestReady:
    def test_only_what_can_run_is_ready(self, open_editor: Callable[..., Any], work: Path) -> None:
        editor = open_editor(flows.alone("sft"), flows.save(flows.alone("sft"), work / "flow.json"))
        editor.settle(600)
        assert editor.state.state(editor.node("sft")) == "ready"
        dpo = editor.place(DPO)
        editor.qtbot.waitUntil(lambda: editor.state.state(dpo) == "wrong")
        assert not dpo.gui.mark.isVisible(), "it is only being drawn"
        editor.flow.remove_connection(next(w for w in editor.view.connection_items if w[1].node is editor.node("sft")))
        editor.qtbot.waitUntil(lambda: editor.state.state(editor.node("sft")) == "wrong")


class Painted(QObject):
    """Watches how much of ``widget`` is painted."""

    def __init__(self, widget: Any) -> None:
        super().__init__(widget)
        self.area = QRect()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.area |= event.region().boundingRect()
        return False


class TestBubble:
    def shown(self, editor: Any, node: Any) -> QRectF:
        bubble = node.gui.mark.bubble
        return bubble.deviceTransform(editor.view.viewportTransform()).mapRect(bubble.boundingRect())

    def test_it_has_the_same_size_at_every_zoom(self, editor: Any) -> None:
        model = editor.place(LoadModel)
        check(editor)
        sizes = []
        for scale in (0.4, 1.0, 2.0):
            editor.view.resetTransform()
            editor.view.scale(scale, scale)
            sizes.append(self.shown(editor, model).size().toSize().toTuple())
        assert len(set(sizes)) == 1
        assert sizes[0][0] > 100

    def test_it_lies_above_every_node_and_follows_its_own(self, editor: Any) -> None:
        model, other = editor.place(LoadModel), editor.place(SFT, path="x")
        check(editor)
        bubble = model.gui.mark.bubble
        other.gui.item.setPos(model.gui.item.pos() + QPointF(0, 60))
        assert bubble.zValue() > other.gui.item.zValue()
        place = self.shown(editor, model).center().toPoint()
        assert editor.view.itemAt(place) is bubble
        other.gui.item.setPos(model.gui.item.pos() + QPointF(700, 400))
        editor.settle(80)
        before = bubble.pos()
        model.gui.item.setPos(model.gui.item.pos() + QPointF(30, 20))
        editor.settle(80)
        assert bubble.pos() == before + QPointF(30, 20)
        editor.view.remove_node(model)
        assert bubble.scene() is None

    def test_all_of_it_is_painted_when_it_says_more(self, editor: Any) -> None:
        model = editor.place(LoadModel)
        check(editor)
        editor.window.show()
        editor.view.scale(0.5, 0.5)
        editor.settle(150)
        painted = Painted(editor.view.viewport())
        model.gui.mark.show_findings((*model.gui.mark.findings, Problem("a further sentence " * 8)))
        editor.settle(150)
        assert painted.area.contains(self.shown(editor, model).toRect() & editor.view.viewport().rect())

    def test_it_stays_at_a_node_that_is_collapsed(self, editor: Any) -> None:
        sft = editor.place(SFT)
        check(editor)
        item, mark = sft.gui.item, sft.gui.mark
        for change in (item.collapse, item.expand):
            change()
            editor.settle(100)
            rect = item.sceneBoundingRect()
            below = mark.bubble.pos() - rect.bottomLeft()
            assert abs(below.x()) <= 1
            assert abs(below.y() - GAP) <= 2
            assert abs(mark.badge_centre().y() - rect.top()) < 10
