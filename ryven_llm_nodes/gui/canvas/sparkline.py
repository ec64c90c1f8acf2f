"""A small curve, painted directly: a tenth of the cost of a plotting widget inside a node."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPen, QPolygonF

Point = tuple[float, float]


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most ``most`` of ``points``, spread evenly, the last one among them."""
    if len(points) <= most:
        return list(points)
    step = len(points) / most
    return [*(points[int(i * step)] for i in range(most - 1)), points[-1]]


def paint_sparkline(painter: QPainter, rect: QRectF, points: Sequence[Point], colour: QColor) -> None:
    """Paints ``points`` (step, value) into ``rect``: the curve, and a fading area below it."""
    points = thin(points, max(int(rect.width() / 2), 2))
    if len(points) < 2:
        return
    line = QPolygonF(list(_scaled(points, rect)))
    area = QPolygonF(line)
    area.append(QPointF(line.last().x(), rect.bottom()))
    area.append(QPointF(line.first().x(), rect.bottom()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_fade(rect, colour))
    painter.drawPolygon(area)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.6))
    painter.drawPolyline(line)


def _scaled(points: Sequence[Point], rect: QRectF) -> list[QPointF]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    width, height = (max(xs) - min(xs)) or 1, (max(ys) - min(ys)) or 1
    left, bottom = min(xs), min(ys)
    middle = 0.5 if max(ys) == min(ys) else 0.0
    return [
        QPointF(
            rect.left() + (x - left) / width * rect.width(),
            rect.bottom() - 3 - ((y - bottom) / height + middle) * (rect.height() - 6),
        )
        for x, y in points
    ]


def _fade(rect: QRectF, colour: QColor) -> QLinearGradient:
    fade = QLinearGradient(rect.topLeft(), rect.bottomLeft())
    for place, alpha in ((0, 100), (1, 0)):
        stop = QColor(colour)
        stop.setAlpha(alpha)
        fade.setColorAt(place, stop)
    return fade
