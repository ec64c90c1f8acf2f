"""The button on Export Script."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget
from ryven.gui_env import NodeMainWidget

from ryven_llm_nodes.gui.state.flow_state import flow_state

STYLE = """
QWidget#llm_export { background: transparent }
QPushButton { color: #e8edf3; background: #2a313b; border: 1px solid #414c5a; border-radius: 6px; padding: 0 10px;
    margin: 0; height: 24px; min-height: 24px; max-height: 24px; font-size: 12px; font-weight: 600;
    text-transform: none }
QPushButton:hover { background: #343e4b; border-color: #ff7a90 }
"""


class ExportWidget(NodeMainWidget, QWidget):
    """Shows the script of the flow."""

    def __init__(self, params: Any) -> None:
        NodeMainWidget.__init__(self, params)
        QWidget.__init__(self)
        self.setObjectName("llm_export")
        self.setStyleSheet(STYLE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 2, 8, 10)
        self.button = QPushButton("Generate Code")
        self.button.setToolTip("Shows the Python script of this flow (F7)")
        self.button.clicked.connect(self._clicked)
        layout.addWidget(self.button)
        self.setFixedSize(160, 40)

    def _clicked(self) -> None:
        flow_state(self.node.flow).script_wanted.emit(self.node.flow)
