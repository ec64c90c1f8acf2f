"""The buttons on nodes that open a window: Export Script and Sweep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget
from ryven.gui_env import NodeMainWidget

from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.style.colours import BORDER, BRIGHT, FAMILY_COLOURS, FIELD
from ryven_llm_nodes.gui.style.fonts import readable

STYLE = "QWidget#llm_export { background: transparent }"

GROWTH: Final = 1.3
"""The text has little more room than it takes."""


class Button(QPushButton):
    """A button on a node: its text is readable at every zoom, or not there."""

    def __init__(self, text: str, scale: Callable[[], float]) -> None:
        super().__init__(text)
        self._scale = scale

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(FAMILY_COLOURS["output"] if self.underMouse() else BORDER))
        painter.setBrush(QColor(FIELD))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        if size := readable(12, self._scale(), growth=GROWTH):
            font = QFont("Poppins")
            font.setPixelSize(size)
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(QColor(BRIGHT))
            text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width() - 8)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class ButtonWidget(NodeMainWidget, QWidget):
    """A button with a text and a tooltip."""

    text, tip = "", ""

    def __init__(self, params: Any) -> None:
        NodeMainWidget.__init__(self, params)
        QWidget.__init__(self)
        self.setObjectName("llm_export")
        self.setStyleSheet(STYLE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 2, 8, 10)
        self.button = Button(self.text, lambda: self.node.gui.flow_view().transform().m11())
        self.button.setFixedHeight(26)
        self.button.setToolTip(self.tip)
        self.button.clicked.connect(self._clicked)
        layout.addWidget(self.button)
        self.setFixedSize(160, 40)

    def _clicked(self) -> None:
        raise NotImplementedError


class ExportWidget(ButtonWidget):
    """Shows the script of the flow."""

    text, tip = "Generate Code", "Shows the Python script of this flow (F7)"

    def _clicked(self) -> None:
        flow_state(self.node.flow).script_wanted.emit(self.node.flow)


class SweepWidget(ButtonWidget):
    """Shows the sweep that the node describes."""

    text, tip = "Sweep...", "Shows the trials of this sweep, and runs it (F9)"

    def _clicked(self) -> None:
        flow_state(self.node.flow).sweep_wanted.emit(self.node)
