"""A small picture of a flow, drawn from its file: nodes in their colours, and wires."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPen

from ryven_llm_nodes.gui.style.colours import BACKGROUND, SURFACE
from ryven_llm_nodes.gui.style.families import KIND_COLOURS, NEUTRAL, colour_of
from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.program.layout import laid_out

WIDTH, HEIGHT = 0.62, 0.5
"""Of a node, as a share of its column and row."""
MARGIN: Final = 10.0


def sketch(graph: Graph, size: QSize, ratio: float = 1.0) -> QImage:
    """The picture of ``graph``, in device pixels of ``ratio``. Raises FlowError for a cycle."""
    image = QImage(size * ratio, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor(BACKGROUND))
    places = _places(laid_out(graph))
    if places:
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint(painter, graph, _boxes(places, QRectF(0, 0, size.width(), size.height())))
        painter.end()
    return image


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Column and row of each step, counted from 0."""
    columns = sorted({step.place[0] for step in graph.steps})
    rows = sorted({step.place[1] for step in graph.steps})
    return {step.name: (columns.index(step.place[0]), rows.index(step.place[1])) for step in graph.steps}


def _boxes(places: dict[str, tuple[int, int]], area: QRectF) -> dict[str, QRectF]:
    across, down = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    inner = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    width, height = inner.width() / across, min(inner.height() / down, 34.0)
    top = inner.top() + (inner.height() - height * down) / 2
    return {
        name: QRectF(
            inner.left() + (column + (1 - WIDTH) / 2) * width,
            top + (row + (1 - HEIGHT) / 2) * height,
            WIDTH * width,
            HEIGHT * height,
        )
        for name, (column, row) in places.items()
    }


def _paint(painter: QPainter, graph: Graph, boxes: dict[str, QRectF]) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for step in graph.steps:
        for port, wire in step.wires.items():
            kind = next(one.kind for one in step.node.in_ports if one.name == port)
            painter.setPen(QPen(QColor(KIND_COLOURS.get(kind, NEUTRAL)), 1.2))
            painter.drawPath(_wire(boxes[wire.step], boxes[step.name]))
    for step in graph.steps:
        colour = QColor(colour_of(step.node))
        painter.setPen(QPen(colour, 1.2))
        painter.setBrush(QColor(SURFACE))
        painter.drawRoundedRect(boxes[step.name], 3, 3)
        head = QRectF(boxes[step.name])
        head.setHeight(head.height() * 0.45)
        painter.setBrush(colour)
        painter.drawRoundedRect(head, 3, 3)


def _wire(source: QRectF, target: QRectF) -> QPainterPath:
    start, end = QPointF(source.right(), source.center().y()), QPointF(target.left(), target.center().y())
    middle = (start.x() + end.x()) / 2
    path = QPainterPath(start)
    path.cubicTo(QPointF(middle, start.y()), QPointF(middle, end.y()), end)
    return path
