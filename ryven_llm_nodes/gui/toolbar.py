"""The toolbar and the menu: Run, Stop, Check, Generate Code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QSize, Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QLabel, QSizePolicy, QToolBar, QWidget

from ryven_llm_nodes.gui.form_style import ACCENT, GOOD, VIOLET
from ryven_llm_nodes.gui.icons import icon


class Toolbar(QObject):
    """Holds the actions, adds them to the window, and enables them as runs begin and end."""

    def __init__(self, window: Any, run: Callable, stop: Callable, check: Callable, generate: Callable) -> None:
        super().__init__(window)
        self.run = self._action("Run", "play", GOOD, "F5", run, "Run the flow of this tab")
        self.stop = self._action("Stop", "stop", "#ff7a90", "Shift+F5", stop, "Stop the run within one step")
        self.check = self._action("Check", "check", ACCENT, "F6", check, "Find every problem of the flow")
        self.generate = self._action("Generate Code", "code", VIOLET, "F7", generate, "Show the flow as one script")
        self.status = QLabel("")
        self.status.setObjectName("llm_status")
        self._fill_bar(window)
        menu = window.menuBar().addMenu("LLM")
        menu.addActions(self.actions())
        self.show_running(False)

    def actions(self) -> list[QAction]:
        """The actions in their order."""
        return [self.run, self.stop, self.check, self.generate]

    def show_running(self, running: bool) -> None:
        """Enables what can be done."""
        self.run.setEnabled(not running)
        self.stop.setEnabled(running)

    def _action(self, text: str, glyph: str, colour: str, key: str, call: Callable, tip: str) -> QAction:
        action = QAction(icon(glyph, colour), text, self.parent())
        action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{tip} ({key})")
        action.triggered.connect(lambda: call())
        return action

    def _fill_bar(self, window: Any) -> None:
        bar = QToolBar("LLM", window)
        bar.setObjectName("llm_toolbar")
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.setIconSize(QSize(16, 16))
        bar.addActions(self.actions()[:2])
        bar.addSeparator()
        bar.addActions(self.actions()[2:])
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        space.setStyleSheet("background: transparent")
        bar.addWidget(space)
        bar.addWidget(self.status)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        self.bar = bar
