"""Types of ports: Ryven knows 'data' and 'exec' only, so wires are checked and coloured here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QObject, QPointF, Qt, Signal
from qtpy.QtGui import QColor, QPen
from ryvencore import Flow
from ryvencore.NodePort import NodeOutput
from ryvencore_qt.src.flows.connections.ConnectionItem import ConnectionItem, DataConnectionItem
from ryvencore_qt.src.flows.FlowView import FlowView
from ryvencore_qt.src.flows.nodes.PortItem import PortItemPin, is_connected

from ryven_llm_nodes.catalogue import LLMNode, Port
from ryven_llm_nodes.host.versions import CORE, CORE_QT, workaround

WIRE_WIDTH: Final = 2.4


class _Refusals(QObject):
    refused = Signal(object, str)


_refusals: Final = _Refusals()
refused_signal: Final = _refusals.refused
"""Emitted with the flow and a message when a wire is refused."""


def declared_port(port: Any) -> Port | None:
    """The declaration of a live port, or None for a node of another package."""
    node = port.node
    if not isinstance(node, LLMNode):
        return None
    for live, declared in ((node.inputs, node.in_ports), (node.outputs, node.out_ports)):
        if port in live:
            return declared[live.index(port)]
    return None


def port_kind(port: Any) -> str | None:
    """model, dataset, reward or adapter; None for a port of another package."""
    declared = declared_port(port)
    return declared.kind if declared else None


def refusal(flow: Flow, out: Any, inp: Any) -> str | None:
    """Why ``out`` cannot be connected to ``inp``, as a message, or None if it can."""
    if out.io_pos == inp.io_pos:
        ends = "outputs" if isinstance(out, NodeOutput) else "inputs"
        return f"Both ends are {ends}; connect an output to an input."
    if out.node is inp.node:
        return f"{out.node.title} cannot feed itself."
    given, wanted = port_kind(out), port_kind(inp)
    if given and wanted and given != wanted:
        place = f"{inp.node.title} > {inp.label_str}"
        return f"{out.node.title} gives a {given}, but {place} takes a {wanted}; connect a {wanted} to it."
    if inp not in flow.graph_adj.get(out, ()) and _reaches(flow, inp.node, out.node):
        return f"This wire would lead the output of {inp.node.title} back to itself."
    return None


def _reaches(flow: Flow, start: Any, goal: Any) -> bool:
    seen, todo = set(), [start]
    while todo:
        node = todo.pop()
        if node is goal:
            return True
        if node not in seen:
            seen.add(node)
            todo += flow.node_successors.get(node, ())
    return False


@workaround(CORE)
def check_kinds() -> None:
    """ryvencore/Flow.py:338: a wire is checked for 'data' or 'exec' only.

    The method of the class is replaced, since an override on an instance breaks the undo stack.
    """
    original = Flow.check_connection_validity

    def check(self: Flow, connection: tuple[Any, Any]) -> bool:
        sentence = refusal(self, *connection)
        if sentence is None:
            return original(self, connection)
        self.connection_request_valid.emit(False)
        refused_signal.emit(self, sentence)
        return False

    Flow.check_connection_validity = check


@workaround(CORE_QT)
def say_same_side() -> None:
    """flows/FlowView.py:935: two inputs, or two outputs, are refused without a message."""
    original = FlowView.connect_node_ports__cmd

    def connect(self: FlowView, one: Any, other: Any) -> None:
        if one.io_pos == other.io_pos:
            if one is not other:
                refused_signal.emit(self.flow, refusal(self.flow, one, other))
            return
        original(self, one, other)

    FlowView.connect_node_ports__cmd = connect


def colour_ports(colour: Callable[[str], QColor], paint_pin: Callable[..., None]) -> None:
    """Draws wires in the colour of their kind, and pins by ``paint_pin(painter, kind, connected, hovered, fits)``.

    ``fits`` is None unless a wire is being dragged.

    The flow themes of ryvencore_qt 0.5.0 get a port's type, which is always 'data', but not the port
    (flows/nodes/PortItem.py:212, flows/connections/ConnectionItem.py:76).
    """
    from ryven_llm_nodes.host.wires import colour_dragged, is_fitting

    _colour_wires(colour)
    colour_dragged(colour)
    paint, enter = PortItemPin.paint, PortItemPin.hoverEnterEvent

    def paint_port(self: Any, painter: Any, option: Any, widget: Any = None) -> None:
        kind = port_kind(self.port)
        if kind is None:
            paint(self, painter, option, widget)
        else:
            paint_pin(painter, kind, is_connected(self.port), self.hovered, is_fitting(self))

    def hover(self: Any, event: Any) -> None:
        enter(self, event)
        if declared := declared_port(self.port):
            optional = ", optional" if declared.optional else ""
            self.setToolTip(f"<b>{declared.label}</b> ({declared.kind}{optional})<br>{declared.help}")
        self.update()

    PortItemPin.paint, PortItemPin.hoverEnterEvent = paint_port, hover


def _colour_wires(colour: Callable[[str], QColor]) -> None:
    pen, width, recompute = DataConnectionItem.get_pen, DataConnectionItem.pen_width, ConnectionItem.recompute

    def get_pen(self: Any) -> QPen:
        kind = port_kind(self.connection[0])
        if kind is None:
            return pen(self)
        return QPen(colour(kind), WIRE_WIDTH, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)

    def pen_width(self: Any) -> float:
        return width(self) if port_kind(self.connection[0]) is None else WIRE_WIDTH

    def plain(self: Any, *_: Any) -> None:
        if port_kind(self.connection[0]) is None:
            recompute(self)  # fades wires out towards their ends, where their colour matters most
            return
        start, end = self.out_pos(), self.inp_pos()
        before, self._llm_laid = self._llm_laid, (start, end, self.isSelected())
        if self._llm_laid == before:
            return
        ends = [QPointF(item.pin.width_no_padding() / 2, 0) for item in (self.out_item, self.inp_item)]
        self.setPos(start)
        self.setPath(self.connection_path(ends[0], end - start - ends[1]))
        if before is None or self._llm_laid[-1] != before[-1]:
            drawn = self.get_pen()
            if self.isSelected():
                drawn.setWidthF(2 * WIRE_WIDTH)
            self.setPen(drawn)

    DataConnectionItem.get_pen, DataConnectionItem.pen_width = get_pen, pen_width
    ConnectionItem._llm_laid = None
    ConnectionItem.recompute = plain
