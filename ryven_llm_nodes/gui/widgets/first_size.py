"""The size that a window opens with, which its screen has room for."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QWidget

FRAME: Final = 40
"""Pixels for the title bar, which the size of a window does not contain."""


def room_on(screen: QSize) -> QSize:
    """The largest window that the available ``screen`` has room for."""
    return QSize(screen.width(), screen.height() - FRAME)


def open_with(window: QWidget, width: int, height: int) -> None:
    """Gives ``window`` this size, or as much of it as its screen has room for."""
    window.resize(QSize(width, height).boundedTo(room_on(window.screen().availableSize())))
