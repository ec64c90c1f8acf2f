"""Changes of what is selected on the canvas: duplicates, alignment, and nodes that are put on a wire."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QPoint, QPointF
from ryvencore_qt.src.flows.connections.ConnectionItem import ConnectionItem
from ryvencore_qt.src.flows.FlowCommands import ConnectPorts_Command, MoveComponents_Command, Paste_Command
from ryvencore_qt.src.flows.FlowView import FlowView

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.host.annotations import selected_on
from ryven_llm_nodes.host.canvas import insert_node
from ryven_llm_nodes.host.ports import port_kind
from ryven_llm_nodes.host.undo import one_command
from ryven_llm_nodes.program.annotations import KEY, to_data

OFFSET: Final = 44.0


def duplicate(view: FlowView) -> list[Any]:
    """Copies of the selected nodes, with their wires and those that come in; one undoable command. Returns them."""
    selected = set(view.selected_nodes())
    nodes = [node for node in view.flow.nodes if node in selected]
    others = [item.about for item in selected_on(view)]
    if not nodes and not others:
        return []
    data = {
        "nodes": view._get_nodes_data(nodes),
        "connections": view._get_connections_data(nodes),
        "output data": [],
        "drawings": [],
        KEY: to_data(others),
    }
    with one_command(view, "Duplicate"):
        command = Paste_Command(view, data, QPointF(OFFSET, OFFSET))
        view.push_undo(command)
        made = list(command.pasted_components["nodes"])
        for node, copy in zip(nodes, made, strict=True):
            for port, place in zip(node.inputs, copy.inputs, strict=True):
                source = view.flow.connected_output(port)
                if source is not None and source.node not in nodes:
                    view.push_undo(ConnectPorts_Command(view, source, place))
    return made


def align(view: FlowView, how: str) -> None:
    """Moves the selected nodes: to a common edge, or below or next to each other with equal gaps; undoable."""
    items = view.selected_node_items()
    if len(items) < 2:
        return
    with one_command(view, f"Align {how}"):
        for item, place in _places(items, how).items():
            by = place - item.pos()
            if not by.isNull():
                view.push_undo(MoveComponents_Command(view, [item], p_from=-by, p_to=QPointF(0, 0)))
                item.setPos(place)


def _places(items: list[Any], how: str) -> dict[Any, QPointF]:
    """Where the centre of each item goes."""
    boxes = {item: item.sceneBoundingRect() for item in items}
    centres = {item: QPointF(item.pos()) for item in items}
    if how in ("column", "row"):
        return _spread(items, boxes, how)
    edge = {
        "left": min(box.left() for box in boxes.values()),
        "right": max(box.right() for box in boxes.values()),
        "top": min(box.top() for box in boxes.values()),
        "bottom": max(box.bottom() for box in boxes.values()),
    }[how]
    for item, box in boxes.items():
        half = QPointF(box.width() / 2, box.height() / 2)
        if how in ("left", "right"):
            centres[item].setX(edge + half.x() if how == "left" else edge - half.x())
        else:
            centres[item].setY(edge + half.y() if how == "top" else edge - half.y())
    return centres


def _spread(items: list[Any], boxes: dict[Any, Any], how: str) -> dict[Any, QPointF]:
    """Below each other in a column, or next to each other in a row, in their order, with gaps of one size."""
    is_column = how == "column"
    ordered = sorted(items, key=lambda item: item.pos().y() if is_column else item.pos().x())
    free = boxes[ordered[0]].top() if is_column else boxes[ordered[0]].left()
    across = ordered[0].pos().x() if is_column else ordered[0].pos().y()
    places = {}
    for item in ordered:
        size = boxes[item].height() if is_column else boxes[item].width()
        middle = free + size / 2
        places[item] = QPointF(across, middle) if is_column else QPointF(middle, across)
        free += size + OFFSET
    return places


# Nodes on wires


def wire_at(view: FlowView, place: QPoint) -> ConnectionItem | None:
    """The wire at ``place`` in the viewport, where no node lies on it."""
    found = view.items(place)
    is_on_node = any(item in view.node_items.values() for item in found)
    return None if is_on_node else next((item for item in found if isinstance(item, ConnectionItem)), None)


def can_insert(node_class: type, wire: ConnectionItem) -> bool:
    """Whether a node of ``node_class`` takes what ``wire`` carries, and gives the like."""
    kind = port_kind(wire.connection[0])
    if kind is None or not issubclass(node_class, LLMNode) or not node_class.in_ports or not node_class.out_ports:
        return False
    return node_class.in_ports[0].kind == kind == node_class.out_ports[0].kind


def insert_on(view: FlowView, node_class: type, wire: ConnectionItem) -> Any:
    """Puts a new node of ``node_class`` on ``wire``, as one undoable command; returns it."""
    target = wire.connection[1]
    return insert_node(view, node_class, target.node, target.node.inputs.index(target), lambda made: None)
