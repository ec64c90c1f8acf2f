"""The style of Ryven's window: set once, with our additions, before the window is made."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.host.versions import RYVEN, workaround

ICON_COLOUR: Final = "#8fa3b8"


@workaround(RYVEN)
def dress() -> None:
    """gui/styling/window_theme.py:99: the style sheet is set whole, and takes as long to be set again.

    Its icons (resources/stylesheets/icons) are pure blue, which nobody can see on the dark theme.
    """
    from ryven.gui.styling import window_theme

    original = window_theme.apply_stylesheet

    def apply_stylesheet(style: str) -> Any:
        from qtpy.QtCore import QDir
        from qtpy.QtWidgets import QApplication

        from ryven_llm_nodes.gui.theme import STYLE

        app = QApplication.instance()
        hold = _Hold()
        window_theme.QApplication = None
        theme = _themed(original, style, app, hold)
        QDir.setSearchPaths("icon", [str(grey_icons())])
        sheet = hold.sheet + STYLE
        if app.styleSheet() != sheet:
            app.setStyleSheet(sheet)
        return theme

    window_theme.apply_stylesheet = apply_stylesheet
