"""The trials of a sweep as lines through an axis for each parameter, and one for the metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.style.colours import ACCENT, BORDER, BRIGHT, GOOD, MUTED, WELL
from ryven_llm_nodes.quantities import number

if TYPE_CHECKING:
    from ryven_llm_nodes.run.sweeping.study import Trial
    from ryven_llm_nodes.run.sweeping.sweep import Plan, Result

SIDE, TOP, BOTTOM = 90, 34, 16
TITLE, TICK = 12, 11
"""Sizes of text in pixels."""
LABEL: Final = 76
"""Room for the text next to an axis."""
Tick = tuple[float, str]
"""A height between 0 and 1, and what stands there."""


class TrialsChart(QWidget):
    """Draws all trials that are done; the best one stands out, by width and colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(QSize(420, 190))
        self.setAccessibleName("parallel coordinates of the trials")
        self._axes: list[tuple[str, list[Tick]]] = []
        self._lines: list[tuple[list[float], float, bool]] = []

    def show_trials(self, plan: Plan, result: Result) -> None:
        """Draws ``result``."""
        from ryven_llm_nodes.run.sweeping.along import Along

        done = [(trial, trial.value) for trial in result.trials if trial.value is not None]
        axes = {name: Along(axis) for name, axis in plan.space.axes.items()}
        ends = _ends([value for _, value in done])
        ticks = [(_share(value, *ends), number(value)) for value in ends]
        marked = {name: [(_share(at, *one.ends), label) for at, label in one.ticks()] for name, one in axes.items()}
        self._axes = [*marked.items(), (str(plan.metric), ticks if done else [])]
        self.setToolTip("\n".join(name for name, _ in self._axes))  # a narrow window has room for their ends alone

        def line(trial: Trial, value: float) -> tuple[list[float], float, bool]:
            heights = [_share(along(trial.values[name]), *along.ends) for name, along in axes.items()]
            good = _share(value, *ends)
            return [*heights, good], good if plan.maximize else 1 - good, trial == result.best

        self._lines = sorted((line(*pair) for pair in done), key=lambda one: one[2])
        self.update()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(WELL))
        places = self._places()
        for heights, good, is_best in self._lines:
            self._paint_line(painter, list(zip(places, heights, strict=True)), good, is_best)
        for x, (name, ticks) in zip(places, self._axes, strict=True):
            self._paint_axis(painter, x, name, ticks)
        painter.end()

    def _places(self) -> list[float]:
        """Where the axes stand."""
        steps = max(len(self._axes) - 1, 1)
        return [SIDE + (self.width() - 2 * SIDE) * i / steps for i in range(len(self._axes))]

    def _y(self, height: float) -> float:
        return TOP + (self.height() - TOP - BOTTOM) * (1 - height)

    def _paint_line(self, painter: QPainter, points: Sequence[tuple[float, float]], good: float, is_best: bool) -> None:
        colour = QColor(GOOD if is_best else ACCENT)
        colour.setAlphaF(1.0 if is_best else 0.2 + 0.6 * good)
        painter.setPen(QPen(colour, 3.5 if is_best else 1.6))
        painter.drawPolyline(QPolygonF([QPointF(x, self._y(height)) for x, height in points]))

    def _paint_axis(self, painter: QPainter, x: float, name: str, ticks: Sequence[Tick]) -> None:
        painter.setPen(QPen(QColor(BORDER), 1))
        painter.drawLine(QPointF(x, TOP - 6), QPointF(x, self.height() - BOTTOM + 6))
        room = (self.width() - 2 * SIDE) / max(len(self._axes) - 1, 1)
        title = QRectF(x - min(room, 2 * SIDE) / 2 + 4, 6, min(room, 2 * SIDE) - 8, 18)
        self._write(painter, title, name, BRIGHT, TITLE, Qt.AlignmentFlag.AlignCenter)
        for height, label in ticks:
            left = QRectF(x - LABEL - 6, self._y(height) - 8, LABEL, 16)
            self._write(painter, left, label, MUTED, TICK, Qt.AlignmentFlag.AlignRight)

    def _write(
        self, painter: QPainter, box: QRectF, text: str, colour: str, size: int, align: Qt.AlignmentFlag
    ) -> None:
        font = self.font()
        font.setPixelSize(size)
        painter.setFont(font)
        painter.setPen(QColor(colour))
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(box.width()))
        painter.fillRect(painter.boundingRect(box, align | Qt.AlignmentFlag.AlignVCenter, short), QColor(WELL))
        painter.drawText(box, align | Qt.AlignmentFlag.AlignVCenter, short)

    @property
    def texts(self) -> Iterator[str]:
        """What is written, for those who cannot see it."""
        for name, ticks in self._axes:
            yield name
            yield from (label for _, label in ticks)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest value, apart."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)
