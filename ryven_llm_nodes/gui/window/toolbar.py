"""The toolbar: the most important actions, and a status line."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QMainWindow, QSizePolicy, QToolBar, QWidget

from ryven_llm_nodes.gui.window.actions import Actions


class Toolbar:
    """The toolbar, with its ``status`` at the right."""

    def __init__(self, window: QMainWindow, actions: Actions) -> None:
        self.status = QLabel("")
        self.status.setObjectName("llm_status")
        self.bar = QToolBar("LLM", window)
        self.bar.setObjectName("llm_toolbar")
        self.bar.setMovable(False)
        self.bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.bar.setIconSize(QSize(16, 16))
        for action, made in actions.having(lambda action: action.bar):
            if action.group:
                self.bar.addSeparator()
            self.bar.addAction(made)
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        space.setStyleSheet("background: transparent")
        self.bar.addWidget(space)
        self.bar.addWidget(self.status)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.bar)
