"""What is done only after a window has been painted, so that it opens sooner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qtpy.QtCore import QEvent, QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

MOMENT_MS: Final = 30
"""Until what was painted has come to the screen."""


class FirstPaint(QObject):
    """Tells that ``window`` was painted: all of it, since Qt paints at once what is exposed."""

    _painted = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.is_done = False
        window.installEventFilter(self)
        window.update()  # it may have been painted before

    def then(self, do: Callable[[], object]) -> None:
        """Calls ``do`` once the window was painted: now, or a moment after it."""
        if self.is_done:
            do()
        else:
            self._painted.connect(do)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self._wait)  # its children are painted next
        return False

    def _wait(self) -> None:
        QTimer.singleShot(MOMENT_MS, self, self._end)

    def _end(self) -> None:
        if not self.parent().isVisible():  # closed at once; or hidden, and painted again when it comes back
            self.parent().installEventFilter(self)
            return
        self.is_done = True
        self._painted.emit()


def first_paint(widget: QWidget) -> FirstPaint:
    """The first painting of the window of ``widget``."""
    window = widget.window()
    return window.findChild(FirstPaint) or FirstPaint(window)
