"""One plot: curves painted by hand, fast enough to be painted while a model trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFont,
    QHelpEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from ryven_llm_nodes.gui.curves.series import Point, Series, Trace
from ryven_llm_nodes.gui.style.colours import BACKGROUND, BORDER, BRIGHT, FAINT, FIELD, MUTED, TEXT
from ryven_llm_nodes.quantities import number

HEADER, GUTTER = 20, 44
WIDE, HIGH = 140, 76
"""From this width on there is room for values at the left, from this height on for steps below."""
DENSE = 240
GREY = "#5a6572"


@dataclass(frozen=True)
class Curve:
    """A line of a plot. An ``earlier`` one is thin and grey, and has no say in the reading; a ``dashed`` one is
    measured on other data."""

    label: str
    colour: str
    series: Series
    earlier: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class _Frame:
    """Where steps and values lie in a rectangle."""

    box: QRectF
    first: float
    last: float
    low: float
    high: float
    margin: float = 0.0

    def at(self, point: Point) -> QPointF:
        return QPointF(self.x(point[0]), self.y(point[1]))

    def places(self, points: Sequence[Point]) -> list[QPointF]:
        """All points at once; spelled out, since this is what takes the time of a redraw."""
        right = self.box.width() / ((self.last - self.first) or 1)
        up = self.box.height() / ((self.high - self.low) or 1)
        left, bottom = self.box.left() - self.first * right, self.box.bottom() + self.low * up
        return [QPointF(left + step * right, bottom - value * up) for step, value in points]

    def x(self, step: float) -> float:
        return self.box.left() + (step - self.first) / ((self.last - self.first) or 1) * self.box.width()

    def y(self, value: float) -> float:
        return self.box.bottom() - (value - self.low) / ((self.high - self.low) or 1) * self.box.height()

    def step(self, x: float) -> float:
        return self.first + (x - self.box.left()) / (self.box.width() or 1) * (self.last - self.first)


class CurvePlot(QWidget):
    """Curves over optimizer steps, with a title and the latest value; a crosshair reads the values at a step.

    ``pointed`` carries the step under the mouse, or None when it leaves, so that several plots can show it together.
    """

    pointed = Signal(object)

    def __init__(self, title: str, help: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.curves: tuple[Curve, ...] = ()
        self.cursor_step: float | None = None
        self._lines: dict[int, tuple[_Frame, Point | None, Trace, QPolygonF]] = {}
        self.setMouseTracking(True)
        self.setToolTip(help)
        self.setMinimumSize(120, 56)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def sizeHint(self) -> QSize:
        return QSize(230, 110)

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Shows these curves, the earlier ones below the others, from the next :meth:`update` on."""
        self.curves = tuple(sorted(curves, key=lambda curve: not curve.earlier))
        traces = {id(trace) for curve in curves for trace in (curve.series.raw, curve.series.smooth)}
        self._lines = {key: line for key, line in self._lines.items() if key in traces}

    def set_cursor_step(self, step: float | None) -> None:
        """Puts the crosshair at ``step``, or takes it away."""
        if step != self.cursor_step:
            self.cursor_step = step
            self.update()

    # Reading

    def readings(self) -> list[tuple[Curve, Point]]:
        """The points nearest to the crosshair, of every curve of the present runs."""
        if self.cursor_step is None:
            return []
        present = (curve for curve in self.curves if not curve.earlier)
        found = ((curve, curve.series.nearest(self.cursor_step)) for curve in present)
        return [(curve, point) for curve, point in found if point is not None]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        frame = self._frame()
        if frame is not None:
            step = frame.step(event.position().x())
            self.pointed.emit(min(max(step, frame.first), frame.last))

    def event(self, event: QEvent) -> bool:
        # over the curves the crosshair speaks, not the tooltip
        if isinstance(event, QHelpEvent) and event.pos().y() > HEADER:
            return True
        return super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(None)

    # Painting

    def _frame(self) -> _Frame | None:
        traces = [curve.series.raw for curve in self.curves if curve.series.points]
        ranges = [found for found in (trace.range() for trace in traces) if found]
        if not ranges:
            return None
        left, below = (GUTTER if self.width() >= WIDE else 8), (16 if self.height() >= HIGH else 6)
        box = QRectF(left, HEADER + 3, self.width() - left - 9, self.height() - HEADER - 3 - below)
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        margin = (high - low) * 0.04 or abs(high) * 0.5 or 0.5
        first = min(curve.series.points[0][0] for curve in self.curves if curve.series.points)
        last = max(trace.last[0] for trace in traces if trace.last)
        return _Frame(box, first, last, low - margin, high + margin, margin)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(BACKGROUND))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(FIELD), 1))
        painter.setBrush(QColor("#151a21"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        frame = self._frame()
        self._paint_header(painter)
        if frame is not None:
            self._paint_grid(painter, frame)
            for curve in self.curves:
                self._paint_curve(painter, frame, curve)
            self._paint_crosshair(painter, frame)
        painter.end()

    def _paint_header(self, painter: QPainter) -> None:
        _small(painter, 11)
        box = QRectF(9, 2, self.width() - 18, HEADER)
        right = box.right()
        for curve, (_, value) in reversed(self._headline()):
            text = number(value)
            width = painter.fontMetrics().horizontalAdvance(text)
            if right - width < box.left() + 60:
                break
            is_only = len(self._headline()) == 1
            painter.setPen(QColor(BRIGHT if is_only else curve.colour))
            painter.drawText(QRectF(right - width, box.top(), width + 1, HEADER), _MIDDLE, text)
            right -= width + 9
        painter.setPen(QColor(TEXT))
        room = int(right - box.left())
        title = painter.fontMetrics().elidedText(self.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(box.left(), box.top(), room, HEADER), _MIDDLE, title)

    def _headline(self) -> list[tuple[Curve, Point]]:
        """What stands beside the title: the values at the crosshair, or the latest ones."""
        present = [curve for curve in self.curves if not curve.earlier and curve.series.points]
        points = self.readings() or [(curve, curve.series.points[-1]) for curve in present]
        return [(curve, point) for curve, point in points if not curve.dashed]

    def _paint_grid(self, painter: QPainter, frame: _Frame) -> None:
        painter.setPen(QPen(QColor("#1f2630"), 1))
        for part in range(4):
            y = frame.box.top() + frame.box.height() * part / 3
            painter.drawLine(QPointF(frame.box.left(), y), QPointF(frame.box.right(), y))
        _small(painter, 9)
        painter.setPen(QColor(FAINT))
        if self.width() >= WIDE:
            right = Qt.AlignmentFlag.AlignRight
            gutter = QRectF(2, frame.box.top() - 3, GUTTER - 7, frame.box.height() + 6)
            painter.drawText(gutter, Qt.AlignmentFlag.AlignTop | right, _short(frame.high - frame.margin))
            painter.drawText(gutter, Qt.AlignmentFlag.AlignBottom | right, _short(frame.low + frame.margin))
        if self.height() >= HIGH:
            below = QRectF(frame.box.left(), frame.box.bottom() + 2, frame.box.width(), 13)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{frame.first:.0f}")
            painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{frame.last:.0f}")

    def _paint_curve(self, painter: QPainter, frame: _Frame, curve: Curve) -> None:
        colour = QColor(GREY if curve.earlier else curve.colour)
        if curve.earlier:
            colour.setAlpha(170)
            self._stroke(painter, frame, curve.series.raw, QPen(colour, 1))
            return
        style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
        if curve.series.smooth is not None:
            faint = QColor(colour)
            faint.setAlpha(70)
            self._stroke(painter, frame, curve.series.raw, QPen(faint, 1, style))
        trace = curve.series.smooth or curve.series.raw
        if len([c for c in self.curves if not c.earlier and not c.dashed]) == 1 and not curve.dashed:
            self._fill(painter, frame, trace, colour)
        self._stroke(painter, frame, trace, QPen(colour, 1.6, style))

    def _line(self, frame: _Frame, trace: Trace) -> QPolygonF:
        """The trace as a line in the frame; an earlier run's is made once, as long as the frame stays."""
        made = self._lines.get(id(trace))
        if made is None or made[:2] != (frame, trace.last):
            made = self._lines[id(trace)] = frame, trace.last, trace, QPolygonF(frame.places(trace.points()))
        return made[3]

    def _stroke(self, painter: QPainter, frame: _Frame, trace: Trace, pen: QPen) -> None:
        line = self._line(frame, trace)
        if line.size() > DENSE and not trace.smoothing:
            pen.setWidthF(1)  # a line of one pixel is painted twenty times faster than a wider one
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if line.size() == 1:
            painter.setBrush(pen.color())
            painter.drawEllipse(line.at(0), 2, 2)
        else:
            painter.drawPolyline(line)

    def _fill(self, painter: QPainter, frame: _Frame, trace: Trace, colour: QColor) -> None:
        """Shades what lies below the curve. Of a dense one the highest points will do, and without soft edges."""
        line, bottom = self._line(frame, trace), frame.box.bottom()
        dense = line.size() > DENSE
        area = QPolygonF(frame.places(trace.highest())) if dense else QPolygonF(line)
        area.append(QPointF(area.at(area.size() - 1).x(), bottom))
        area.append(QPointF(area.at(0).x(), bottom))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not dense)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_shade(frame, colour))
        painter.drawPolygon(area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_crosshair(self, painter: QPainter, frame: _Frame) -> None:
        readings = self.readings()
        if not readings:
            return
        x = frame.x(min(max(readings[0][1][0], frame.first), frame.last))
        painter.setPen(QPen(QColor(MUTED), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, frame.box.top()), QPointF(x, frame.box.bottom()))
        for curve, point in readings:
            spot = frame.at(point)
            painter.setPen(QPen(QColor(BACKGROUND), 1))
            painter.setBrush(QColor(curve.colour))
            painter.drawEllipse(spot, 3.5, 3.5)
            if curve is readings[0][0]:
                painter.setPen(QPen(QColor(BORDER), 1, Qt.PenStyle.DotLine))
                painter.drawLine(QPointF(frame.box.left(), spot.y()), QPointF(frame.box.right(), spot.y()))
        if self.underMouse():
            self._paint_readings(painter, frame, x, readings)

    def _paint_readings(self, painter: QPainter, frame: _Frame, x: float, readings: list[tuple[Curve, Point]]) -> None:
        _small(painter, 11)
        lines = [(MUTED, f"step {readings[0][1][0]}")]
        lines += [(curve.colour, f"{curve.label}  {number(point[1])}") for curve, point in readings[:6]]
        width = max(painter.fontMetrics().horizontalAdvance(text) for _, text in lines) + 14
        height = 15 * len(lines) + 6
        left = x + 8 if x + 8 + width < frame.box.right() else max(x - 8 - width, 2)
        box = QRectF(left, max(frame.box.top() + 2, 2), width, height)
        painter.setPen(QPen(QColor(BORDER), 1))
        painter.setBrush(QColor(18, 22, 28, 235))
        painter.drawRoundedRect(box, 4, 4)
        for row, (colour, text) in enumerate(lines):
            painter.setPen(QColor(colour))
            painter.drawText(QRectF(left + 7, box.top() + 3 + 15 * row, width, 15), _MIDDLE, text)


_MIDDLE = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


def _short(value: float) -> str:
    """A value for the axis, where there is little room: ``2.1``, ``0.035``, ``3e-5``."""
    text = f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    return text.replace("e-0", "e-").replace("e+0", "e") if len(text) < 8 else f"{value:.0e}".replace("e+0", "e")


def _small(painter: QPainter, pixels: int) -> None:
    font = QFont(painter.font())
    font.setPixelSize(pixels)
    painter.setFont(font)


def _shade(frame: _Frame, colour: QColor) -> QBrush:
    gradient = QLinearGradient(0, frame.box.top(), 0, frame.box.bottom())
    for place, alpha in ((0.0, 105), (1.0, 0)):
        gradient.setColorAt(place, QColor(colour.red(), colour.green(), colour.blue(), alpha))
    return QBrush(gradient)
