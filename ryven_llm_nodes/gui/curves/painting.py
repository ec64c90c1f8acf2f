"""Paints a plot directly, fast enough to be updated while a model trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QLinearGradient, QPainter, QPen, QPolygonF

from ryven_llm_nodes.gui.curves.frame import Frame, ticks
from ryven_llm_nodes.gui.curves.series import Curve, Point, Trace
from ryven_llm_nodes.gui.style.colours import BACKGROUND, BORDER, BRIGHT, FAINT, FIELD, GRID, MUTED, TEXT, WELL
from ryven_llm_nodes.gui.style.fonts import SMALLEST
from ryven_llm_nodes.quantities import number

HEADER, GUTTER = 20, 52
WIDE, HIGH = 140, 76
"""Minimum width for values at the left, and minimum height for steps below."""
DENSE = 240
GREY = FAINT
MOST_DOTS = 80
MOST_READ = 9
"""Lines of values at the crosshair: of this run, and of eight that are laid over it."""
TICK_HEIGHT, TICK_WIDTH = 26, 70
"""Pixels of an axis per number."""

Lines = dict[int, tuple[Frame, Point | None, Trace, QPolygonF]]
"""The painted traces, by their id, as lines in a frame, with the last point of each."""


@dataclass(frozen=True)
class Drawn:
    """A curve, and its traces to draw."""

    curve: Curve
    raw: Trace
    smooth: Trace | None


@dataclass(frozen=True)
class Picture:
    """What is painted; ``readings`` are the points at the crosshair, shown as text if the plot ``is_read``."""

    area: QRect
    title: str
    unit: str
    drawn: Sequence[Drawn]
    readings: Sequence[tuple[Curve, Point]]
    is_read: bool = False


def paint(painter: QPainter, picture: Picture, frame: Frame | None, lines: Lines) -> Lines:
    """Paints; takes the cache of the last call, and returns the one for the next call."""
    painter.fillRect(picture.area, QColor(BACKGROUND))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(FIELD), 1))
    painter.setBrush(QColor(WELL))
    painter.drawRoundedRect(QRectF(picture.area).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
    _paint_header(painter, picture)
    if frame is None:
        return {}
    _paint_grid(painter, picture, frame)
    curves = _Curves(painter, frame, lines)
    curves.paint(picture.drawn)
    _paint_crosshair(painter, picture, frame)
    return curves.used


# Title and axes


def _paint_header(painter: QPainter, picture: Picture) -> None:
    _small(painter, 11)
    headline = _headline(picture)
    box = QRectF(9, 2, picture.area.width() - 18, HEADER)
    right = box.right()
    for curve, (_, value) in reversed(headline):
        text = number(value)
        width = painter.fontMetrics().horizontalAdvance(text)
        if right - width < box.left() + 60:
            break
        painter.setPen(QColor(BRIGHT if len(headline) == 1 else curve.colour))
        painter.drawText(QRectF(right - width, box.top(), width + 1, HEADER), _LEFT, text)
        right -= width + 9
    _paint_title(painter, picture, QRectF(box.left(), box.top(), int(right - box.left()), HEADER))


def _paint_title(painter: QPainter, picture: Picture, box: QRectF) -> None:
    """The title, and the unit if there is room for it."""
    metrics = painter.fontMetrics()
    title = metrics.elidedText(picture.title, Qt.TextElideMode.ElideRight, int(box.width()))
    painter.setPen(QColor(TEXT))
    painter.drawText(box, _LEFT, title)
    taken = metrics.horizontalAdvance(title) + 6
    if picture.unit and taken + metrics.horizontalAdvance(picture.unit) < box.width():
        painter.setPen(QColor(MUTED))
        painter.drawText(box.adjusted(taken, 0, 0, 0), _LEFT, picture.unit)


def _headline(picture: Picture) -> list[tuple[Curve, Point]]:
    """The text next to the title: the values at the crosshair, or the latest ones."""
    present = [line.curve for line in picture.drawn if not line.curve.earlier and line.curve.series.points]
    points = picture.readings or [(curve, curve.series.points[-1]) for curve in present]
    return [(curve, point) for curve, point in points if not curve.dashed]


def _paint_grid(painter: QPainter, picture: Picture, frame: Frame) -> None:
    values = ticks(frame.low, frame.high, max(int(frame.box.height() // TICK_HEIGHT), 2), frame.log)
    steps = ticks(frame.first, frame.last, max(int(frame.box.width() // TICK_WIDTH), 2))
    _small(painter, SMALLEST)
    for value in values.values:
        y = frame.y(value)
        painter.setPen(QPen(QColor(GRID), 1))
        painter.drawLine(QPointF(frame.box.left(), y), QPointF(frame.box.right(), y))
        if picture.area.width() >= WIDE:
            painter.setPen(QColor(MUTED))
            painter.drawText(QRectF(2, y - 7, GUTTER - 7, 14), _RIGHT, values.label(value))
    if picture.area.height() >= HIGH:
        _paint_steps(painter, frame, [(step, steps.label(step)) for step in steps.values if step == round(step)])


def _paint_steps(painter: QPainter, frame: Frame, steps: list[tuple[float, str]]) -> None:
    """Numbers below the plot, as many as fit, starting from the last one, which has the unit."""
    painter.setPen(QColor(MUTED))
    end = frame.box.right()
    for step, text in reversed([*steps[:-1], *((step, f"step {text}") for step, text in steps[-1:])]):
        width = painter.fontMetrics().horizontalAdvance(text) + 2
        left = min(max(frame.x(step) - width / 2, frame.box.left()), frame.box.right() - width)
        if left + width <= end:
            painter.drawText(QRectF(left, frame.box.bottom() + 1, width, 14), _LEFT, text)
            end = left - 6


# Curves


def pen_of(curve: Curve, colour: QColor, width: float) -> QPen:
    """What ``curve`` is drawn with."""
    pen = QPen(colour, width)
    if curve.stroke is None:
        pen.setStyle(Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine)
    elif curve.stroke:
        pen.setDashPattern(list(curve.stroke))
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


class _Curves:
    """Paints curves into a frame, and caches their lines."""

    def __init__(self, painter: QPainter, frame: Frame, lines: Lines) -> None:
        self.painter, self.frame = painter, frame
        self.used: Lines = {}
        self._lines = lines

    def paint(self, drawn: Sequence[Drawn]) -> None:
        """Paints all of them, the first ones below the others."""
        self.painter.save()
        self.painter.setClipRect(self.frame.box.adjusted(-1, -3, 3, 1))
        is_only = len([line for line in drawn if not line.curve.earlier and not line.curve.dashed]) == 1
        for line in drawn:
            if line.curve.earlier:
                self._paint_earlier(line)
            else:
                self._paint_present(line, is_only and not line.curve.dashed)
        self.painter.restore()

    def _paint_earlier(self, line: Drawn) -> None:
        colour = QColor(GREY)
        colour.setAlpha(170)
        self._stroke(line.raw, QPen(colour, 1))

    def _paint_present(self, line: Drawn, filled: bool) -> None:
        colour = QColor(line.curve.colour)
        if line.smooth is not None:
            faint = QColor(colour)
            faint.setAlpha(70)
            self._stroke(line.raw, pen_of(line.curve, faint, 1))
        trace = line.smooth or line.raw
        if filled:
            self._fill(trace, colour)
        self._stroke(trace, pen_of(line.curve, colour, 1.6))
        if line.curve.dashed and line.curve.stroke is not None and self._line(trace).size() < MOST_DOTS:
            self._dot(trace, colour)

    def _dot(self, trace: Trace, colour: QColor) -> None:
        """A dot at each point."""
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(colour)
        for place in self._line(trace):
            self.painter.drawEllipse(place, 2.2, 2.2)

    def _line(self, trace: Trace) -> QPolygonF:
        """The trace as a line in the frame; an earlier run's is cached as long as the frame stays."""
        made = self.used.get(id(trace)) or self._lines.get(id(trace))
        if made is None or made[:2] != (self.frame, trace.last):
            made = self.frame, trace.last, trace, QPolygonF(self.frame.places(trace.points()))
        self.used[id(trace)] = made
        return made[3]

    def _stroke(self, trace: Trace, pen: QPen) -> None:
        line = self._line(trace)
        if line.size() > DENSE and not trace.smoothing:
            pen.setWidthF(1)  # a line of one pixel is painted twenty times faster than a wider one
        self.painter.setPen(pen)
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        if line.size() == 1:
            self.painter.setBrush(pen.color())
            self.painter.drawEllipse(line.at(0), 2, 2)
        else:
            self.painter.drawPolyline(line)

    def _fill(self, trace: Trace, colour: QColor) -> None:
        """Shades the area below the curve; for a dense one from the highest points, without antialiasing."""
        line, bottom = self._line(trace), self.frame.box.bottom()
        dense = line.size() > DENSE
        area = QPolygonF(self.frame.places(trace.highest())) if dense else QPolygonF(line)
        if area.isEmpty():
            return
        area.append(QPointF(area.at(area.size() - 1).x(), bottom))
        area.append(QPointF(area.at(0).x(), bottom))
        self.painter.setRenderHint(QPainter.RenderHint.Antialiasing, not dense)
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(_shade(self.frame, colour))
        self.painter.drawPolygon(area)
        self.painter.setRenderHint(QPainter.RenderHint.Antialiasing)


# The crosshair


def _paint_crosshair(painter: QPainter, picture: Picture, frame: Frame) -> None:
    readings = [(curve, point) for curve, point in picture.readings if frame.first <= point[0] <= frame.last]
    if not readings:
        return
    x = frame.x(readings[0][1][0])
    painter.setPen(QPen(QColor(MUTED), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(x, frame.box.top()), QPointF(x, frame.box.bottom()))
    spots = [(curve, frame.at(point)) for curve, point in readings]
    for curve, spot in (found for found in spots if frame.box.top() - 1 <= found[1].y() <= frame.box.bottom() + 1):
        painter.setPen(QPen(QColor(BACKGROUND), 1))
        painter.setBrush(QColor(curve.colour))
        painter.drawEllipse(spot, 3.5, 3.5)
        if curve is readings[0][0]:
            painter.setPen(QPen(QColor(BORDER), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(frame.box.left(), spot.y()), QPointF(frame.box.right(), spot.y()))
    if picture.is_read:
        _paint_readings(painter, frame, x, readings)


def _paint_readings(painter: QPainter, frame: Frame, x: float, readings: list[tuple[Curve, Point]]) -> None:
    _small(painter, 11)
    lines = [(MUTED, f"step {readings[0][1][0]}")]
    lines += [(curve.colour, f"{curve.label}  {number(point[1])}") for curve, point in readings[:MOST_READ]]
    width = max(painter.fontMetrics().horizontalAdvance(text) for _, text in lines) + 14
    height = 15 * len(lines) + 6
    left = x + 8 if x + 8 + width < frame.box.right() else max(x - 8 - width, 2)
    box = QRectF(left, max(frame.box.top() + 2, 2), width, height)
    painter.setPen(QPen(QColor(BORDER), 1))
    painter.setBrush(QColor(WELL))
    painter.drawRoundedRect(box, 4, 4)
    for row, (colour, text) in enumerate(lines):
        painter.setPen(QColor(colour))
        painter.drawText(QRectF(left + 7, box.top() + 3 + 15 * row, width, 15), _LEFT, text)


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


def _small(painter: QPainter, pixels: int) -> None:
    font = QFont(painter.font())
    font.setPixelSize(pixels)
    painter.setFont(font)


def _shade(frame: Frame, colour: QColor) -> QBrush:
    gradient = QLinearGradient(0, frame.box.top(), 0, frame.box.bottom())
    for place, alpha in ((0.0, 105), (1.0, 0)):
        gradient.setColorAt(place, QColor(colour.red(), colour.green(), colour.blue(), alpha))
    return QBrush(gradient)
