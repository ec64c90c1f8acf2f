"""Fixes how wires are drawn, dropped and selected on Ryven's canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPainterPathStroker, QPen
from ryvencore.NodePort import NodeOutput
from ryvencore_qt.src.flows.connections.ConnectionItem import ConnectionItem, default_cubic_connection_path
from ryvencore_qt.src.flows.FlowCommands import ConnectPorts_Command, PlaceNode_Command
from ryvencore_qt.src.flows.FlowView import FlowView
from ryvencore_qt.src.flows.nodes.PortItem import PortItemPin

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.host.annotations import items_on
from ryven_llm_nodes.host.node_list import style_list
from ryven_llm_nodes.host.ports import port_kind, refusal
from ryven_llm_nodes.host.undo import one_command
from ryven_llm_nodes.host.versions import CORE_QT, workaround

GRIP: Final = 14.0
"""The width of the strip along a wire that the pointer hits."""
DRAGGED_WIDTH: Final = 3.0


# What fits


def fits(port: Any, node_class: type) -> bool:
    """Whether a new node of ``node_class`` has a port that ``port`` can be connected to."""
    kind = port_kind(port)
    if kind is None or not issubclass(node_class, LLMNode):
        return kind is None
    others = node_class.in_ports if isinstance(port, NodeOutput) else node_class.out_ports
    return any(other.kind == kind for other in others)


def is_fitting(pin: PortItemPin) -> bool | None:
    """Whether the wire that is being dragged can be dropped on ``pin``; None where none is dragged."""
    return pin.port in fitting if (fitting := getattr(pin.flow_view, "_llm_fitting", None)) is not None else None


def fitting_wires(view: FlowView, port: Any) -> Iterator[tuple[Any, Any]]:
    """The ends of every wire that could be drawn at ``port``, output first; also those that are there."""
    gives = isinstance(port, NodeOutput)
    others = (other for node in view.flow.nodes for other in (node.inputs if gives else node.outputs))
    ends = ((port, other) if gives else (other, port) for other in others)
    return ((out, inp) for out, inp in ends if refusal(view.flow, out, inp) is None)


def missing_wires(view: FlowView, nodes: Iterable[Any]) -> list[tuple[Any, Any]]:
    """The wires that could be drawn between two of our nodes, one of them in ``nodes``, and are not there yet."""
    ports = (port for node in nodes for port in (*node.outputs, *node.inputs) if port_kind(port) is not None)
    wires = dict.fromkeys(wire for port in ports for wire in fitting_wires(view, port))
    is_drawn = view.flow.connected_output
    return [(out, inp) for out, inp in wires if is_drawn(inp) is not out and port_kind(out) == port_kind(inp)]


def light(view: FlowView, fitting: set[Any] | None) -> None:
    """Lets the pins of the ports ``fitting`` glow and all others fade; None: as they are otherwise."""
    view._llm_fitting = fitting
    for item in view.node_items.values():
        for port in (*item.inputs, *item.outputs):
            port.pin.update()


@workaround(CORE_QT)
def fitting_pins() -> None:
    """flows/nodes/PortItem.py:270: while a wire is dragged, nothing shows where it can go."""
    press, release = PortItemPin.mousePressEvent, FlowView.mouseReleaseEvent

    def pressed(self: Any, event: Any) -> None:
        press(self, event)
        if self.flow_view._dragging_connection:
            ends = fitting_wires(self.flow_view, self.port)
            light(self.flow_view, {self.port}.union(*ends))

    def released(self: FlowView, event: Any) -> None:
        release(self, event)
        if not self._dragging_connection and getattr(self, "_llm_fitting", None) is not None:
            light(self, None)

    PortItemPin.mousePressEvent, FlowView.mouseReleaseEvent = pressed, released


def colour_dragged(colour: Callable[[str], QColor]) -> None:
    """Draws the wire under the pointer in the colour of its kind.

    flows/FlowView.py:742 of ryvencore_qt 0.5.0 draws it in a dark blue that is invisible on a dark canvas.
    """
    original = FlowView.drawForeground

    def draw(self: FlowView, painter: QPainter, rect: QRectF) -> None:
        dragging, self._dragging_connection = self._dragging_connection, False
        try:
            original(self, painter, rect)
        finally:
            self._dragging_connection = dragging
        if dragging and self._last_mouse_move_pos is not None:
            pin = self._selected_pin
            painter.setPen(QPen(colour(port_kind(pin.port) or ""), DRAGGED_WIDTH, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            ends = pin.get_scene_center_pos(), self._last_mouse_move_pos
            painter.drawPath(default_cubic_connection_path(*(ends if _gives(pin) else reversed(ends))))

    FlowView.drawForeground = draw


def _gives(pin: PortItemPin) -> bool:
    return isinstance(pin.port, NodeOutput)


# Connecting


def connect(view: FlowView, out: Any, inp: Any) -> None:
    """Connects ``out`` to ``inp``, where it fits, as one undoable command; a wire that is there is replaced."""
    before = view.flow.connected_output(inp)
    with one_command(view, f"Connect {out.node.title} to {inp.node.title}"):
        for source in (before, out) if before is not None else (out,):
            view.push_undo(ConnectPorts_Command(view, source, inp))  # the first disconnects


@workaround(CORE_QT)
def replaced_in_one_step() -> None:
    """flows/FlowView.py:1078: a wire that replaces another is two commands, and undo leaves the input without any."""
    original = FlowView.connection_request_valid

    # PySide finds slots by their names, which are therefore kept
    def connection_request_valid(self: FlowView, valid: bool) -> None:
        out, inp = self._temp_connection_ports or (None, None)
        if valid and self._waiting_for_connection_request and self.flow.connected_output(inp) not in (None, out):
            self._waiting_for_connection_request = False
            connect(self, out, inp)
        else:
            original(self, valid)

    FlowView.connection_request_valid = connection_request_valid


# Dropping


@workaround(CORE_QT)
def dropped_wire() -> None:
    """flows/FlowView.py:1020: a dropped wire is connected while its node is being placed.

    The undo stack refuses a command within another: the node stayed alone, and undo raised from then on. Both are one
    command now, and the port that was connected lies where the wire was dropped.
    """
    original = FlowView.add_node

    def add_node(self: FlowView, node: Any) -> None:
        pin, self._auto_connection_pin = self._auto_connection_pin, None
        original(self, node)
        self._auto_connection_pin = pin

    # PySide finds slots by their names, which are therefore kept
    def create_node__cmd(self: FlowView, node_class: type) -> None:
        pin, self._auto_connection_pin = self._auto_connection_pin, None
        with one_command(self, f"Create {node_class.title}"):
            self.push_undo(PlaceNode_Command(self, node_class, self._node_place_pos))
            if pin is not None and pin.port.node in self.flow.nodes:
                node = self.flow.nodes[-1]
                self.auto_connect(pin.port, node)
                _put_port_at(self, pin.port, node, self._node_place_pos)

    FlowView.add_node, FlowView.create_node__cmd = add_node, create_node__cmd


def _put_port_at(view: FlowView, port: Any, node: Any, place: QPointF) -> None:
    """Moves the item of ``node``, which was just placed, so that its end of the wire lies at ``place``."""
    item = node.gui.item
    item.update_shape()
    for pin in (other.pin for other in (*item.inputs, *item.outputs)):
        if any({port, pin.port} == set(wire) for wire in view.connection_items):
            item.setPos(item.pos() + place - pin.get_scene_center_pos())
    item.update_conn_pos()


# Selecting


@workaround(CORE_QT)
def wires_can_be_hit() -> None:
    """flows/connections/ConnectionItem.py:26: a wire is hit only on its line, which is 2 pixels wide."""
    set_path = ConnectionItem.setPath

    def shape(self: Any) -> QPainterPath:
        stroker = QPainterPathStroker()
        stroker.setWidth(GRIP)
        return stroker.createStroke(self.path())

    def laid(self: Any, path: QPainterPath) -> None:
        self.prepareGeometryChange()
        self._llm_rect = path.boundingRect().adjusted(-GRIP / 2, -GRIP / 2, GRIP / 2, GRIP / 2)
        set_path(self, path)

    def bounding_rect(self: Any) -> QRectF:
        return self._llm_rect

    ConnectionItem._llm_rect = QRectF()
    ConnectionItem.shape, ConnectionItem.setPath, ConnectionItem.boundingRect = shape, laid, bounding_rect


@workaround(CORE_QT)
def wires_are_painted_from_what_they_keep() -> None:
    """flows/connections/ConnectionItem.py:73: pen and path are copied out of Qt for each wire in each frame."""
    set_path, set_pen = ConnectionItem.setPath, ConnectionItem.setPen

    def laid(self: Any, path: QPainterPath) -> None:
        self._llm_path = path
        set_path(self, path)

    def drawn_with(self: Any, pen: QPen) -> None:
        self._llm_pen = pen
        set_pen(self, pen)

    def paint(self: Any, painter: QPainter, option: Any, widget: Any = None) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self._llm_pen)
        painter.drawPath(self._llm_path)

    ConnectionItem._llm_path, ConnectionItem._llm_pen = QPainterPath(), QPen()
    ConnectionItem.setPath, ConnectionItem.setPen, ConnectionItem.paint = laid, drawn_with, paint


@workaround(CORE_QT)
def selecting_is_no_change() -> None:
    """flows/FlowView.py:1297, 1351: a click that selects is a command to be undone, and so a change of the project."""

    def select(self: FlowView) -> None:
        items = self.scene().selectedItems()
        if items != self._current_selected:
            self._current_selected = items
            self.emit_selected_items()

    def _select_all_action(self: FlowView) -> None:  # a slot
        self.select_items([*self.node_items.values(), *self.connection_items.values(), *self.drawings, *items_on(self)])

    FlowView._select__cmd, FlowView._select_all_action = select, _select_all_action


@workaround(CORE_QT)
def released_elsewhere() -> None:
    """flows/FlowView.py:441: a button whose release went to a menu counts as pressed, and the canvas pans."""
    original = FlowView.mouseMoveEvent

    def move(self: FlowView, event: Any) -> None:
        if not event.buttons() & Qt.MouseButton.RightButton:
            self._right_mouse_pressed_in_flow = self._panning = False
        original(self, event)

    FlowView.mouseMoveEvent = move


# The list of nodes


def offered(view: FlowView, nodes: Iterable[type]) -> list[type]:
    """Those of ``nodes`` that the list on the canvas offers: what fits a dropped wire, else all but Ryven's own."""
    pin = view._auto_connection_pin
    return [node for node in nodes if (fits(pin.port, node) if pin is not None else not _is_built_in(node))]


def _is_built_in(node: type) -> bool:
    """Whether it is one of Ryven's nodes for variables, which a pipeline does not have."""
    return node.identifier.startswith("built_in.")


@workaround(CORE_QT)
def list_of_constant_size() -> None:
    """flows/FlowView.py:873: the list of nodes is scaled with the canvas, and shows an empty "Package: None"."""

    def show(self: FlowView, pos: Any, nodes: Any = None) -> None:
        if not self._dragging_connection:
            self._auto_connection_pin = None
        self._node_place_pos = self.mapToScene(pos)
        widget, proxy = self._node_list_widget, self._node_list_widget_proxy
        proxy.setFlag(proxy.GraphicsItemFlag.ItemIgnoresTransformations)
        style_list(widget)
        widget.current_pack_label.hide()
        widget.search_line_edit.clear()
        widget.update_list(offered(self, nodes if nodes is not None else self.session_gui.core_session.nodes))
        free = self.viewport().size() - widget.size()
        corner = type(pos)(min(pos.x() + 1, free.width()), min(pos.y() + 1, free.height()))
        proxy.setPos(self.mapToScene(corner))
        proxy.show()
        widget.refocus()

    FlowView.show_place_node_widget = show
