"""A slider with two handles, to choose a range of steps."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from ryven_llm_nodes.gui.style.colours import ACCENT, BORDER, MUTED, TEXT

EDGE = 8


class RangeSlider(QWidget):
    """Chooses a first and a last of the whole numbers between two limits. ``changed`` carries both.

    While a handle stands at a limit it moves along with it, so that new steps are seen as they come.
    """

    changed = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.limits = self.chosen = (0, 0)
        self._held: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Steps that are shown. Double-click for all.")

    def sizeHint(self) -> QSize:
        return QSize(150, 24)

    def minimumSizeHint(self) -> QSize:
        return QSize(110, 24)

    def set_limits(self, first: int, last: int) -> None:
        """Sets what can be chosen from."""
        if (first, last) == self.limits:
            return
        low = first if self.chosen[0] == self.limits[0] else self.chosen[0]
        high = last if self.chosen[1] == self.limits[1] else self.chosen[1]
        self.limits = first, last
        self.choose(low, high)
        self.update()

    def choose(self, first: int, last: int) -> None:
        """Chooses a range, as far as it lies inside the limits."""
        low, high = self.limits
        first = min(max(first, low), high)
        chosen = first, min(max(last, first), high)
        if chosen != self.chosen:
            self.chosen = chosen
            self.update()
            self.changed.emit(*chosen)

    @property
    def is_whole(self) -> bool:
        """Whether everything is chosen."""
        return self.chosen == self.limits

    def _x(self, value: int) -> float:
        low, high = self.limits
        return EDGE + (value - low) / ((high - low) or 1) * (self._track() - 2 * EDGE)

    def _track(self) -> int:
        return max(self.width() - 84, 40)

    def _value(self, x: float) -> int:
        low, high = self.limits
        return round(low + (x - EDGE) / (self._track() - 2 * EDGE) * (high - low))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        near = [abs(x - self._x(value)) for value in self.chosen]
        self._held = 0 if near[0] < near[1] or (near[0] == near[1] and x < self._x(self.chosen[0])) else 1
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        value = self._value(event.position().x())
        if self._held == 0:
            self.choose(min(value, self.chosen[1]), self.chosen[1])
        elif self._held == 1:
            self.choose(self.chosen[0], max(value, self.chosen[0]))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.choose(*self.limits)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        left, right = (self._x(value) for value in self.chosen)
        painter.setPen(QPen(QColor(BORDER), 3))
        painter.drawLine(QPointF(EDGE, middle), QPointF(self._track() - EDGE, middle))
        painter.setPen(QPen(QColor(ACCENT), 3))
        painter.drawLine(QPointF(left, middle), QPointF(right, middle))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(TEXT))
        for x in (left, right):
            painter.drawEllipse(QPointF(x, middle), 5, 5)
        painter.setPen(QColor(MUTED))
        box = QRectF(self._track() + 2, 0, 82, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, f"{self.chosen[0]} to {self.chosen[1]}")
        painter.end()
