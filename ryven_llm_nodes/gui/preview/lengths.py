"""A small histogram of the lengths of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.style.colours import ACCENT, MUTED

HEIGHT: Final = 52
FOOT: Final = 16


class LengthsPlot(QWidget):
    """Tokens of a sequence from left to right, how many have that many upwards."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histogram: Mapping[str, Any] | None = None
        self.setFixedHeight(HEIGHT)

    def show_histogram(self, histogram: Mapping[str, Any] | None) -> None:
        """Shows another one, or none."""
        self._histogram = histogram
        self.setToolTip(_in_words(histogram) if histogram else "")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._histogram:
            return
        painter = QPainter(self)
        counts, edges = self._histogram["counts"], self._histogram["edges"]
        step, most = self.width() / len(counts), max(counts)
        for i, count in enumerate(counts):
            height = (HEIGHT - FOOT) * count / most
            box = QRectF(i * step + 0.5, HEIGHT - FOOT - height, max(step - 1, 1), height)
            painter.fillRect(box, QColor(ACCENT))
        painter.setPen(QColor(MUTED))
        foot = self.rect().adjusted(0, HEIGHT - FOOT, 0, 0)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, str(edges[0]))
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, str(self._histogram["most"]))
        painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, f"median {self._histogram['median']} tokens")
        painter.end()


def _in_words(histogram: Mapping[str, Any]) -> str:
    pairs = zip(histogram["edges"], histogram["edges"][1:], histogram["counts"], strict=False)
    return "\n".join(f"{start} to {end - 1} tokens: {count}" for start, end, count in pairs if count)
