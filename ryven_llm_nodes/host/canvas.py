"""Fixes bugs of Ryven's canvas: crashes, broken undo, broken clipboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSizeF
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QGraphicsWidget
from ryvencore import Flow
from ryvencore_qt.src.flows.FlowCommands import (
    ConnectPorts_Command,
    FlowUndoCommand,
    MoveComponents_Command,
    Paste_Command,
    RemoveComponents_Command,
)
from ryvencore_qt.src.flows.FlowView import FlowView
from ryvencore_qt.src.flows.nodes.NodeItem import NodeItem
from ryvencore_qt.src.flows.nodes.NodeItemWidget import NodeItemWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.node import stored
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.host.annotations import paste_alone
from ryven_llm_nodes.host.undo import one_command
from ryven_llm_nodes.host.versions import CORE_QT, workaround
from ryven_llm_nodes.program.names import Names
from ryven_llm_nodes.program.pickles import refuse_unsafe

STEP = 36


@workaround(CORE_QT)
def bounding_rect() -> None:
    """flows/nodes/NodeItem.py:310: ``boundingRect`` is re-entered while a node is rebuilt and has no layout.

    With PySide6 from 6.10 on, building a node under the mouse pointer then crashes the process. And Qt asks for it
    several times for each frame, so that it is kept until the node has another size.
    """

    def resized(self: NodeItemWidget, event: Any) -> None:
        item = getattr(self, "node_item", None)
        if item is not None:
            item.prepareGeometryChange()
            item._llm_rect = _around(event.newSize())
        QGraphicsWidget.resizeEvent(self, event)

    def bounding_rect(self: NodeItem) -> QRectF:
        return self._llm_rect

    NodeItem._llm_rect = QRectF()
    NodeItemWidget.resizeEvent, NodeItem.boundingRect = resized, bounding_rect


def _around(size: QSizeF) -> QRectF:
    """A rectangle with its centre at the origin."""
    return QRectF(-size.width() / 2, -size.height() / 2, size.width(), size.height())


@workaround(CORE_QT)
def shapes_are_announced() -> None:
    """flows/nodes/NodeItem.py:288: nothing tells that a node was collapsed, expanded, or laid out again."""
    original = NodeItem.update_shape

    def update_shape(self: NodeItem) -> None:
        original(self)
        if (announce := getattr(self.node_gui, "shaped", None)) is not None:
            announce()

    NodeItem.update_shape = update_shape


@workaround(CORE_QT)
def undo_survives_errors() -> None:
    """flows/FlowCommands.py:67-69, 79-81: no try/finally, so that one exception disables undo for good."""

    def guarded(do: str) -> Callable[[FlowUndoCommand], None]:
        def run(self: FlowUndoCommand) -> None:
            if FlowUndoCommand._any_cmd_active or (do == "redo_" and not self._activated):
                return
            FlowUndoCommand._any_cmd_active = True
            try:
                getattr(self, do)()
            finally:
                FlowUndoCommand._any_cmd_active = False

        return run

    FlowUndoCommand.redo, FlowUndoCommand.undo = guarded("redo_"), guarded("undo_")


@workaround(CORE_QT)
def undo_keeps_order() -> None:
    """flows/FlowCommands.py:210: nodes whose deletion is undone go to the end of ``flow.nodes``.

    Unnamed steps are numbered in that order, so their folders would change and finished stages look stale.
    """
    redo, undo = RemoveComponents_Command.redo_, RemoveComponents_Command.undo_

    def remove(self: Any) -> None:
        self._order = {node: place for place, node in enumerate(self.flow.nodes)}
        redo(self)

    def restore(self: Any) -> None:
        undo(self)
        self.flow.nodes.sort(key=lambda node: self._order.get(node, len(self._order)))

    RemoveComponents_Command.redo_, RemoveComponents_Command.undo_ = remove, restore


@workaround(CORE_QT)
def select_items() -> None:
    """flows/FlowView.py:1333: a selection visits every item of the scene, the 40 hidden dots of each wire among them.

    And it repaints at once, before subscribers have updated what is painted.
    """

    def select_items(self: FlowView, items: list[Any]) -> None:
        self._unwatch_scene_selection()
        self._current_selected = items
        for item in self.scene().selectedItems():
            item.setSelected(False)
        for item in items:
            item.setSelected(True)
        self.emit_selected_items()
        self.viewport().update()
        self._watch_scene_selection()

    FlowView.select_items = select_items


@workaround(CORE_QT)
def every_drag_is_undoable() -> None:
    """flows/FlowView.py:1238: the border is checked as if a finished drag were still to be added.

    A node that was dragged close to the border moved, but without an entry in the undo stack.
    """
    original = FlowView._move_selected_copmonents__cmd

    def move(self: FlowView, pos_diff: QPointF, already_moved: bool = False) -> None:
        if not already_moved:
            original(self, pos_diff)
            return
        moved = self.scene().selectedItems()
        self.push_undo(MoveComponents_Command(self, moved, p_from=-pos_diff, p_to=QPointF(0, 0)))
        self.viewport().repaint()

    FlowView._move_selected_copmonents__cmd = move


@workaround(CORE_QT)
def cut() -> None:
    """flows/FlowView.py:1374: cut leaves 'output data' out, without which paste raises."""

    def cut(self: FlowView) -> None:
        self._copy()
        self.remove_selected_components__cmd()

    FlowView._cut = cut


@workaround(CORE_QT)
def paste() -> None:
    """flows/FlowView.py:1383: paste raises for any other JSON, and before the mouse has ever moved over the canvas.

    It also unpickles the content of the clipboard, which may be text from anywhere.
    """
    original = FlowView._paste

    def paste(self: FlowView) -> None:
        if not _can_paste(QGuiApplication.clipboard().text()):
            return
        if self._last_mouse_move_pos is None:
            self._last_mouse_move_pos = self.mapToScene(self.viewport().rect().center())
        if not paste_alone(self, json.loads(QGuiApplication.clipboard().text())):
            original(self)

    FlowView._paste = paste


def _can_paste(text: str) -> bool:
    try:
        data = json.loads(text)
        refuse_unsafe(data, "the clipboard")
    except (ValueError, RecursionError, FlowError):
        return False
    kinds = ("nodes", "connections", "output data", "drawings")
    return isinstance(data, dict) and all(isinstance(data.get(kind), list) for kind in kinds)


@workaround(CORE_QT)
def pasted_names_are_free() -> None:
    """flows/FlowCommands.py:356: a copy keeps its name, which is then taken twice: an error at the original, too."""
    original = Paste_Command.__init__

    def begin(self: Any, flow_view: FlowView, data: dict[str, Any], offset: QPointF) -> None:
        names = Names(node.name for node in flow_view.flow.nodes if isinstance(node, LLMNode))
        for node in data["nodes"]:
            name, params = stored(node.get("additional data"))
            if name:
                node["additional data"] = {**node["additional data"], "name": names.claim(name), "params": params}
        original(self, flow_view, data, offset)

    Paste_Command.__init__ = begin


@workaround(CORE_QT)
def auto_connect() -> None:
    """flows/FlowView.py:1033: a wire dropped on a node goes to its first port, whatever its type, wired or not."""
    from ryven_llm_nodes.host.ports import port_kind

    def auto_connect(self: FlowView, port: Any, node: Any) -> None:
        ports = node.inputs if port in port.node.outputs else node.outputs
        fitting = [p for p in ports if p.type_ == port.type_ and port_kind(p) == port_kind(port)]
        fitting.sort(key=lambda p: p in node.inputs and self.flow.connected_output(p) is not None)
        for other in fitting[:1] or ports[:1]:
            self.connect_node_ports__cmd(port, other)

    FlowView.auto_connect = auto_connect


def late_view(flow: Flow, view: FlowView) -> None:
    """Makes a view created before the workarounds use them: Qt signals keep the method they were connected to."""
    view.check_connection_validity_request.disconnect()
    view.check_connection_validity_request.connect(flow.check_connection_validity)
    view._node_list_widget.node_chosen.disconnect()
    view._node_list_widget.node_chosen.connect(view.create_node__cmd)


def centre(view: FlowView) -> QPointF:
    """The middle of what ``view`` shows, in its scene."""
    return view.mapToScene(view.viewport().rect().center())


def _free_place(view: FlowView) -> QPointF:
    """The centre, or next to a node that is already there."""
    place = centre(view)
    taken = [item.pos() for item in view.node_items.values()]
    while any((place - other).manhattanLength() < STEP for other in taken):
        place += QPointF(STEP, STEP)
    return place


def insert_node(view: FlowView, node_class: type, node: Any, port: int, fill: Callable[[Any], object]) -> Any:
    """Inserts a node of ``node_class`` on the wire into an input of ``node``, as one undoable command; returns it.

    ``fill`` gives it its values. Raises ValueError where nothing is connected to that input.
    """
    target = node.inputs[port]
    source = view.flow.connected_output(target)
    if source is None:
        raise ValueError(f"nothing is connected to input {port} of {node}")
    with one_command(view, f"Insert {node_class.title}"):
        ends = [one.gui.item.pos() for one in (source.node, node)]
        made = place_node(view, node_class, (ends[0] + ends[1]) / 2)
        fill(made)
        for wire in ((source, target), (source, made.inputs[0]), (made.outputs[0], target)):  # the first disconnects
            view.push_undo(ConnectPorts_Command(view, *wire))
    return made


def place_node(view: FlowView, node_class: type, where: QPointF | None = None) -> Any:
    """Places a node of ``node_class``, as an undoable command; returns it."""
    view._node_place_pos = where if where is not None else _free_place(view)
    view.create_node__cmd(node_class)
    return view.flow.nodes[-1]
