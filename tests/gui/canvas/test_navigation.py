"""Zooming, panning, searching and arranging on the canvas, by mouse and keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt
from qtpy.QtGui import QDropEvent, QWheelEvent

from ryven_llm_nodes.catalogue import DPO, SFT, ChatTemplate, Filter, LoadDataset, LoadModel
from ryven_llm_nodes.gui.canvas.minimap import Minimap
from ryven_llm_nodes.gui.window.actions import ALIGNMENTS
from ryven_llm_nodes.host.arranging import can_insert, wire_at
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.program import read_flow, read_live_flow
from ryven_llm_nodes.program.flow import read_project
from ryven_llm_nodes.program.mending import mended


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests."""
    return shared


def wheel(editor: Any, notches: int, place: QPoint, modifiers: Any = Qt.KeyboardModifier.NoModifier) -> None:
    buttons, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    at = QPointF(place)
    editor.view.wheelEvent(QWheelEvent(at, at, QPoint(), QPoint(0, 120 * notches), buttons, modifiers, phase, False))


def scale(editor: Any) -> float:
    return editor.view.transform().m11()


@pytest.fixture
def wired(editor: Any) -> Any:
    """A model and a dataset, wired to SFT."""
    editor.window.show()
    model = place_node(editor.view, LoadModel, QPointF(1200, 1100))
    rows = place_node(editor.view, LoadDataset, QPointF(1200, 1400))
    sft = place_node(editor.view, SFT, QPointF(1700, 1250))
    editor.wire(model, sft, "model")
    editor.wire(rows, sft, "dataset")
    editor.shell.flows.show_all()
    editor.settle(100)
    editor.view.clear_selection()
    editor.window.activateWindow()
    editor.view.setFocus()
    editor.settle(50)
    return editor


class TestZoom:
    @pytest.mark.parametrize("notches", [2, -2])
    def test_the_place_under_the_pointer_stays(self, wired: Any, notches: int) -> None:
        place = QPoint(420, 260)
        before, at = scale(wired), wired.view.mapToScene(place)
        wheel(wired, notches, place)
        assert (scale(wired) > before) == (notches > 0)
        assert wired.view._current_scale == scale(wired)
        assert (wired.view.mapToScene(place) - at).manhattanLength() < 4 / scale(wired)

    def test_there_are_ends(self, wired: Any) -> None:
        wheel(wired, 200, QPoint(10, 10))
        assert scale(wired) == pytest.approx(2.5)
        wheel(wired, -200, QPoint(10, 10))
        assert scale(wired) == pytest.approx(0.1)

    def test_shift_scrolls(self, wired: Any) -> None:
        before = scale(wired)
        wheel(wired, 1, QPoint(10, 10), Qt.KeyboardModifier.ShiftModifier)
        assert scale(wired) == before

    def test_keys_show_all_or_what_is_selected(self, wired: Any) -> None:
        wheel(wired, -5, QPoint(10, 10))
        wired.qtbot.keyClick(wired.view, Qt.Key.Key_Home)
        seen = wired.view.mapToScene(wired.view.viewport().rect()).boundingRect()
        assert all(seen.contains(item.sceneBoundingRect()) for item in wired.view.node_items.values())
        small = scale(wired)
        wired.select(wired.flow.nodes[0])
        wired.qtbot.keyClick(wired.view, Qt.Key.Key_F)
        assert scale(wired) >= small
        centre = wired.view.mapToScene(wired.view.viewport().rect().center())
        assert (centre - wired.flow.nodes[0].gui.item.pos()).manhattanLength() < 60


class TestPan:
    def drag(self, editor: Any, button: Any) -> QPointF:
        view, start = editor.view, QPoint(30, 400)
        before = view.mapToScene(start)
        editor.qtbot.mousePress(view.viewport(), button, pos=start)
        for step in (20, 60):
            editor.qtbot.mouseMove(view.viewport(), start + QPoint(step, 0))
        editor.qtbot.mouseRelease(view.viewport(), button, pos=start + QPoint(60, 0))
        return before - view.mapToScene(start)

    def test_the_middle_button(self, wired: Any) -> None:
        wheel(wired, 4, QPoint(300, 300))
        assert self.drag(wired, Qt.MouseButton.MiddleButton).x() > 0
        assert not wired.view.selected_nodes()

    def test_space(self, wired: Any) -> None:
        wheel(wired, 4, QPoint(300, 300))
        wired.qtbot.keyPress(wired.view, Qt.Key.Key_Space)
        assert self.drag(wired, Qt.MouseButton.LeftButton).x() > 0
        wired.qtbot.keyRelease(wired.view, Qt.Key.Key_Space)
        assert self.drag(wired, Qt.MouseButton.LeftButton).x() == 0


def test_tab_and_double_click_search_nodes(wired: Any) -> None:
    proxy = wired.view._node_list_widget_proxy
    wired.shell.actions["search"].trigger()
    assert proxy.isVisible()
    wired.view.hide_node_list_widget()
    wired.qtbot.mouseDClick(wired.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    assert proxy.isVisible()


class TestDuplicate:
    def test_copies_with_their_wires_in_one_step(self, wired: Any) -> None:
        wired.node_of = {type(node): node for node in wired.flow.nodes}
        wired.select(wired.node_of[SFT], wired.node_of[LoadDataset])
        wired.qtbot.keyClick(wired.view, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
        assert [type(node) for node in wired.flow.nodes] == [LoadModel, LoadDataset, SFT, LoadDataset, SFT]
        rows, copy = wired.flow.nodes[3:]
        assert wired.flow.connected_output(copy.inputs[0]) is wired.flow.nodes[0].outputs[0]
        assert wired.flow.connected_output(copy.inputs[1]) is rows.outputs[0]
        assert set(wired.view.selected_nodes()) == {rows, copy}
        wired.view._undo_stack.undo()
        assert len(wired.flow.nodes) == 3
        wired.view._undo_stack.redo()
        assert len(wired.view.connection_items) == 4

    def test_nothing_selected(self, editor: Any) -> None:
        editor.shell.flows.duplicate()
        assert not editor.view._undo_stack.canUndo()


@pytest.mark.parametrize("how", ALIGNMENTS)
def test_alignment(wired: Any, how: str) -> None:
    nodes = wired.flow.nodes
    before = [node.gui.item.pos() for node in nodes]
    wired.select(*nodes)
    wired.shell.actions[f"align_{how}"].trigger()
    boxes = [node.gui.item.sceneBoundingRect() for node in nodes]
    if how in ("column", "row"):
        assert not any(one.intersects(other) for one in boxes for other in boxes if one is not other)
        assert len({round(box.center().x() if how == "column" else box.center().y()) for box in boxes}) == 1
    else:
        assert len({round(getattr(box, how)()) for box in boxes}) == 1
    wired.view._undo_stack.undo()
    assert [node.gui.item.pos() for node in nodes] == before


class TestInsert:
    def drop(self, editor: Any, kind: type, place: QPoint) -> None:
        mime = QMimeData()
        mime.setData("application/json", f'{{"type": "node", "node identifier": "{kind.identifier}"}}'.encode())
        buttons = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        editor.view.dropEvent(QDropEvent(QPointF(place), Qt.DropAction.CopyAction, mime, *buttons))

    def middle(self, editor: Any, port: int) -> QPoint:
        target = editor.flow.nodes[2].inputs[port]
        wire = next(item for (_, inp), item in editor.view.connection_items.items() if inp is target)
        return editor.view.mapFromScene(wire.mapToScene(wire.path().pointAtPercent(0.5)))

    def test_a_node_that_is_dropped_on_a_wire(self, wired: Any) -> None:
        place = self.middle(wired, 1)
        assert wire_at(wired.view, place) is not None
        self.drop(wired, Filter, place)
        made, sft = wired.flow.nodes[3], wired.flow.nodes[2]
        assert wired.flow.connected_output(sft.inputs[1]) is made.outputs[0]
        assert wired.flow.connected_output(made.inputs[0]) is wired.flow.nodes[1].outputs[0]
        wired.view._undo_stack.undo()
        assert len(wired.flow.nodes) == 3
        assert len(wired.view.connection_items) == 2

    def test_one_that_does_not_fit_is_placed(self, wired: Any) -> None:
        self.drop(wired, Filter, self.middle(wired, 0))
        assert len(wired.flow.nodes) == 4
        assert wired.flow.connected_output(wired.flow.nodes[3].inputs[0]) is None

    def test_the_wire_that_is_selected(self, wired: Any) -> None:
        wire = next(iter(wired.view.connection_items.values()))
        assert can_insert(ChatTemplate, wire)
        assert not can_insert(DPO, next(reversed(wired.view.connection_items.values())))
        wire.setSelected(True)
        wired.shell.palette.chosen.emit(ChatTemplate)
        made = wired.flow.nodes[3]
        assert wired.flow.connected_output(wired.flow.nodes[2].inputs[0]) is made.outputs[0]


class TestMap:
    def test_it_is_there_while_not_all_is_in_view(self, wired: Any) -> None:
        made = wired.view.findChild(Minimap)
        made.refresh()
        assert not made.isVisible()
        wheel(wired, 8, QPoint(100, 100))
        made.refresh()
        assert made.isVisible()
        assert wired.view.viewport().geometry().contains(made.geometry())
        wired.shell.actions["minimap"].trigger()
        assert not made.isVisible()
        wired.shell.actions["minimap"].trigger()
        assert made.isVisible()

    def test_a_click_goes_there(self, wired: Any) -> None:
        made = wired.view.findChild(Minimap)
        wheel(wired, 8, QPoint(100, 100))
        made.refresh()
        area, small = made._scale()
        target = wired.flow.nodes[2].gui.item.pos()
        on_map = made._on_map(wired.flow.nodes[2].gui.item.sceneBoundingRect(), area, small).center().toPoint()
        wired.qtbot.mouseClick(made, Qt.MouseButton.LeftButton, pos=on_map)
        assert made.visible.contains(target)


class TestBypass:
    def test_it_fades_and_is_undone(self, wired: Any) -> None:
        first, sft = wired.flow.nodes[0], wired.flow.nodes[2]
        second = place_node(wired.view, SFT, QPointF(2100, 1250))
        wired.wire(sft, second, "model")
        wired.select(sft)
        wired.shell.actions["bypass"].trigger()
        assert sft.gui.item.opacity() < 0.5
        steps = read_live_flow(wired.flow, Path()).by_name
        assert [step.index for step in steps.values()] == [0, 1, 3]
        assert steps["sft_2"].wires["model"].step == "base_model"
        wired.view._undo_stack.undo()
        assert (sft.gui.item.opacity(), sft.bypassed, first.bypassed) == (1.0, False, False)
        wired.view._undo_stack.redo()
        wired.shell.actions["bypass"].trigger()
        assert not sft.bypassed

    def test_it_is_saved_and_copied(self, wired: Any, tmp_path: Path) -> None:
        sft = wired.flow.nodes[2]
        wired.select(sft)
        wired.shell.flows.bypass()
        wired.shell.saving.save_to(tmp_path / "flow.json")
        assert [step.name for step in read_flow(tmp_path / "flow.json").steps] == ["base_model", "dataset"]
        stored = mended(read_project(tmp_path / "flow.json"))["flows"]
        assert [node["additional data"].get("bypassed") for node in next(iter(stored.values()))["nodes"]][2]
        wired.shell.flows.duplicate()
        assert wired.flow.nodes[3].bypassed
        assert wired.flow.nodes[3].gui.item.opacity() < 0.5
