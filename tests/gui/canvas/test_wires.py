"""Wires, with a real mouse: dragged, dropped on nothing, selected and deleted; menus that are closed with Escape."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoadModel
from ryven_llm_nodes.gui.style.families import KIND_COLOURS
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.host.wires import is_fitting

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


def pin(node: Any, port: int = 0, side: str = "outputs") -> Any:
    return getattr(node.gui.item, side)[port].pin


def at(editor: Any, pin: Any) -> QPoint:
    return editor.view.mapFromScene(pin.get_scene_center_pos())


def move(editor: Any, start: QPoint, end: QPoint, button: Any = Qt.MouseButton.NoButton) -> None:
    """Moves the pointer; with ``button`` held down."""
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    viewport = editor.view.viewport()
    for share in (0.3, 0.7, 1.0):
        place = QPointF(start) + share * QPointF(end - start)
        event = QMouseEvent(
            QEvent.Type.MouseMove, place, viewport.mapToGlobal(place), Qt.MouseButton.NoButton, button,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(viewport, event)


def drag(editor: Any, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(editor.view.viewport(), LEFT, pos=start)
    move(editor, start, end, LEFT)


def drop(editor: Any, start: QPoint, end: QPoint) -> None:
    drag(editor, start, end)
    QTest.mouseRelease(editor.view.viewport(), LEFT, pos=end)


def listed(editor: Any) -> list[type]:
    return list(editor.view._node_list_widget.current_nodes)


def choose(editor: Any, text: str) -> None:
    """Types into the list of nodes and presses Enter."""
    nodes = editor.view._node_list_widget
    QTest.keyClicks(nodes.search_line_edit, text)
    QTest.keyClick(nodes, Qt.Key.Key_Return)


@pytest.fixture
def model(editor: Any) -> Any:
    node = place_node(editor.view, LoadModel, QPointF(200, 150))
    editor.settle(100)
    return node


class TestDropped:
    def test_the_chosen_node_is_connected_where_the_wire_was_dropped(self, editor: Any, model: Any) -> None:
        spot = QPoint(500, 300)
        drop(editor, at(editor, pin(model)), spot)
        assert editor.view._node_list_widget_proxy.isVisible()
        assert {SFT, DPO, GRPO} <= set(listed(editor)), "and nothing that does not fit"
        assert all(any(port.kind == "model" for port in node.in_ports) for node in listed(editor))
        choose(editor, "dpo")
        _, dpo = editor.flow.nodes
        assert type(dpo) is DPO
        assert editor.flow.connected_output(dpo.inputs[0]) is model.outputs[0]
        end = at(editor, pin(dpo, 0, "inputs"))
        assert (end - spot).manhattanLength() <= 3
        assert not editor.view._node_list_widget_proxy.isVisible()
        stack = editor.view._undo_stack
        assert stack.undoText() == "Create DPO", "node and wire are one step"
        stack.undo()
        assert editor.flow.nodes == [model]
        assert editor.view.connection_items == {}
        stack.redo()
        assert len(editor.flow.nodes) == 2
        assert len(editor.view.connection_items) == 1
        stack.undo()
        stack.undo()
        assert editor.flow.nodes == []

    def test_from_an_input_too(self, editor: Any) -> None:
        ppo = place_node(editor.view, PPO, QPointF(600, 200))
        editor.settle(100)
        drop(editor, at(editor, pin(ppo, 1, "inputs")), QPoint(200, 300))
        assert LoadDataset in listed(editor)
        assert LoadModel not in listed(editor)
        choose(editor, "load dataset")
        assert editor.flow.connected_output(ppo.inputs[1]) is editor.flow.nodes[-1].outputs[0]

    def test_after_escape_the_list_offers_everything_and_connects_nothing(self, editor: Any, model: Any) -> None:
        drop(editor, at(editor, pin(model)), QPoint(500, 300))
        QTest.keyClick(editor.view._node_list_widget, Qt.Key.Key_Escape)
        QTest.mouseMove(editor.view.viewport(), QPoint(500, 300))
        click(editor, QPoint(500, 300), RIGHT)
        assert LoadDataset in listed(editor)
        choose(editor, "sft")
        assert len(editor.flow.nodes) == 2
        assert editor.view.connection_items == {}


def click(editor: Any, place: QPoint, button: Any = LEFT) -> None:
    move(editor, place, place)
    QTest.mousePress(editor.view.viewport(), button, pos=place)
    QTest.mouseRelease(editor.view.viewport(), button, pos=place)


class TestWhileDragging:
    def test_fitting_pins_light_up_until_the_button_is_released(self, editor: Any, model: Any) -> None:
        sft = place_node(editor.view, SFT, QPointF(600, 200))
        rows = place_node(editor.view, LoadDataset, QPointF(200, 400))
        editor.settle(100)
        start, end = at(editor, pin(model)), QPoint(400, 380)
        drag(editor, start, end)
        fitting = [is_fitting(pin(sft, port, "inputs")) for port in range(len(sft.inputs))]
        assert fitting == [port.kind == "model" for port in sft.in_ports]
        assert not is_fitting(pin(rows))
        QTest.mouseRelease(editor.view.viewport(), LEFT, pos=end)
        assert is_fitting(pin(sft, 0, "inputs")) is None

    def test_the_wire_under_the_pointer_has_the_colour_of_its_kind(self, editor: Any, model: Any) -> None:
        start, end = at(editor, pin(model)), QPoint(520, 330)
        drag(editor, start, end)
        picture = editor.view.viewport().grab().toImage()
        wanted = QColor(KIND_COLOURS["model"])
        seen = [
            picture.pixelColor(x, y)
            for x in range(start.x() + 30, end.x() - 10)
            for y in range(start.y() - 5, end.y() + 5)
        ]
        assert sum(colour == wanted for colour in seen) > 100


class TestSelecting:
    def test_a_wire_is_selected_near_its_line_and_deleted(self, editor: Any, model: Any) -> None:
        sft = place_node(editor.view, SFT, QPointF(700, 350))
        editor.wire(model, sft, "model")
        editor.settle(100)
        (wire,) = editor.view.connection_items.values()
        middle = editor.view.mapFromScene(wire.mapToScene(wire.path().pointAtPercent(0.5)))
        click(editor, middle + QPoint(6, 0))
        assert wire.isSelected()
        assert wire.pen().widthF() > 4
        QTest.keyClick(editor.view, Qt.Key.Key_Delete)
        assert editor.view.connection_items == {}
        editor.view._undo_stack.undo()
        assert editor.flow.connected_output(sft.inputs[0]) is model.outputs[0]

    def test_it_is_neither_a_change_nor_a_step_to_undo(self, editor: Any, model: Any) -> None:
        editor.view._undo_stack.setClean()
        steps = editor.view._undo_stack.count()
        click(editor, editor.view.mapFromScene(model.gui.item.sceneBoundingRect().topLeft() + QPointF(40, 12)))
        assert editor.view.selected_nodes() == [model]
        assert editor.state.selection is model
        click(editor, QPoint(600, 400))
        assert editor.view.selected_nodes() == []
        editor.view._select_all_action()
        assert editor.view.selected_nodes() == [model]
        assert editor.view._undo_stack.count() == steps
        assert not editor.shell.document.modified


def test_a_menu_that_is_closed_with_escape_leaves_the_canvas_in_place(editor: Any, model: Any) -> None:
    """The release of the right button goes to the menu, and never to the canvas."""
    place = editor.view.mapFromScene(model.gui.item.sceneBoundingRect().topLeft() + QPointF(40, 12))
    editor.view.setSceneRect(-2000, -2000, 6000, 6000)
    QTest.mousePress(editor.view.viewport(), RIGHT, pos=place)
    before, shown = model.gui.item.pos(), editor.view.mapToScene(QPoint(0, 0))
    move(editor, place, place + QPoint(30, 10))
    assert editor.view.mapToScene(QPoint(0, 0)) == shown, "moving the pointer pans"
    place = editor.view.mapFromScene(model.gui.item.sceneBoundingRect().topLeft() + QPointF(40, 12))
    drop(editor, place, place + QPoint(60, 40))
    assert editor.view.mapToScene(QPoint(0, 0)) == shown
    assert (model.gui.item.pos() - before - QPointF(60, 40)).manhattanLength() <= 2


class TestList:
    def test_it_keeps_its_size_at_every_zoom_and_stays_inside(self, editor: Any) -> None:
        view = editor.view
        for scale in (0.4, 1.0, 2.0):
            view.resetTransform()
            view.scale(scale, scale)
            corner = QPoint(view.viewport().width() - 20, view.viewport().height() - 20)
            view.show_place_node_widget(corner)
            proxy = view._node_list_widget_proxy
            shown = proxy.deviceTransform(view.viewportTransform()).mapRect(proxy.boundingRect())
            assert (round(shown.width()), round(shown.height())) == view._node_list_widget.size().toTuple()
            assert view.viewport().rect().contains(shown.toRect().adjusted(1, 1, -1, -1))

    def test_it_shows_neither_packages_nor_variables(self, editor: Any) -> None:
        editor.view.show_place_node_widget(QPoint(100, 100))
        assert not editor.view._node_list_widget.current_pack_label.isVisible()
        assert {"get var", "set var"}.isdisjoint(node.title for node in listed(editor))
        assert SFT in listed(editor)
