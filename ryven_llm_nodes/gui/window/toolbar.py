"""The toolbar and the menu: Run, Stop, Stop and Keep, Check, Generate Code; and Run Afresh, in the menu only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from qtpy.QtCore import QObject, QSize, Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QLabel, QSizePolicy, QToolBar, QWidget

from ryven_llm_nodes.gui.style.colours import ACCENT, GOOD, VIOLET, WARN
from ryven_llm_nodes.gui.style.icons import icon

KEEP_TIP: Final = "End the stage that is training here, and hand its model as it is to the next"
AFRESH_TIP: Final = "Train everything anew; use nothing that is kept"


class Commands(Protocol):
    """What the actions do."""

    def run(self) -> Any: ...
    def run_afresh(self) -> Any: ...
    def stop(self) -> Any: ...
    def keep(self) -> Any: ...
    def check(self) -> Any: ...
    def generate(self) -> Any: ...


class Toolbar(QObject):
    """Holds the actions, adds them to the window, and enables them as runs begin and end."""

    def __init__(self, window: Any, do: Commands) -> None:
        super().__init__(window)
        self.run = self._action("Run", "play", GOOD, "F5", do.run, "Run the flow of this tab")
        self.stop = self._action("Stop", "stop", "#ff7a90", "Shift+F5", do.stop, "Stop the run within one step")
        self.keep = self._action("Stop and Keep", "keep", WARN, "Ctrl+Shift+F5", do.keep, KEEP_TIP)
        self.check = self._action("Check", "check", ACCENT, "F6", do.check, "Find every problem of the flow")
        self.generate = self._action("Generate Code", "code", VIOLET, "F7", do.generate, "Show the flow as one script")
        self.afresh = self._action("Run Afresh", "play", WARN, "", do.run_afresh, AFRESH_TIP)
        self.status = QLabel("")
        self.status.setObjectName("llm_status")
        self._fill_bar(window)
        self._fill_menu(window)
        self.show_running(False)

    def actions(self) -> list[QAction]:
        """The actions of the toolbar in their order."""
        return [self.run, self.stop, self.keep, self.check, self.generate]

    def show_running(self, running: bool, training: bool = False) -> None:
        """Enables what can be done; ``training``: a stage has done a step, so that it could be ended early."""
        self.run.setEnabled(not running)
        self.afresh.setEnabled(not running)
        self.stop.setEnabled(running)
        self.keep.setEnabled(training)

    def _fill_menu(self, window: Any) -> None:
        self.menu = window.menuBar().addMenu("LLM")
        self.menu.addActions(self.actions())
        self.menu.insertAction(self.stop, self.afresh)
        self.menu.setToolTipsVisible(True)

    def _action(self, text: str, glyph: str, colour: str, key: str, call: Callable, tip: str) -> QAction:
        action = QAction(icon(glyph, colour), text, self.parent())
        action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{tip} ({key})" if key else tip)
        action.triggered.connect(lambda: call())
        return action

    def _fill_bar(self, window: Any) -> None:
        bar = QToolBar("LLM", window)
        bar.setObjectName("llm_toolbar")
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.setIconSize(QSize(16, 16))
        bar.addActions(self.actions()[:3])
        bar.addSeparator()
        bar.addActions(self.actions()[3:])
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        space.setStyleSheet("background: transparent")
        bar.addWidget(space)
        bar.addWidget(self.status)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        self.bar = bar
