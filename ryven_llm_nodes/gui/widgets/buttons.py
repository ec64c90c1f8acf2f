"""Buttons of windows, none of which is pressed by Enter in a field."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QPushButton


def push_button(text: str, does: Callable[[], object], tip: str = "") -> QPushButton:
    """A button that calls ``does`` without an argument."""
    made = QPushButton(text, autoDefault=False, toolTip=tip)
    made.clicked.connect(lambda: does())
    return made
