"""A line of bold text that is shortened where there is no room for it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QSizePolicy


class Elided(QLabel):
    """Takes the room that others leave; its tooltip is the text, while that is shortened."""

    def __init__(self, text: str, colour: str) -> None:
        super().__init__(text)
        self._colour = QColor(colour)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._font())
        painter.setPen(self._colour)
        text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        self.setToolTip("" if text == self.text() else self.text())
        painter.end()

    def _font(self) -> QFont:
        font = self.font()
        font.setBold(True)
        return font
