"""The Qt application of the editor: it asks before it quits."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication


class Application(QApplication):
    """Qt closes all windows on quit (Cmd+Q, the dock, the end of a session) without asking."""

    def event(self, event: QEvent) -> bool:
        """Asks every window first; one that refuses keeps the application open."""
        if event.type() == QEvent.Type.Quit and not all(shell.may_close() for shell in self._shells()):
            event.ignore()
            return True
        return super().event(event)

    def _shells(self) -> list:
        windows = [window for window in self.topLevelWidgets() if window.isVisible()]
        return [shell for window in windows if (shell := getattr(window, "llm_shell", None)) is not None]
