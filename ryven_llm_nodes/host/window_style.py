"""The style of Ryven's window: our additions, set before the window is created, when that is cheap."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.host.palette import colour
from ryven_llm_nodes.host.versions import RYVEN, workaround

ICON_COLOUR: Final = colour("muted")
_added: Final[list[str]] = []


def add_style(text: str) -> None:
    """Adds ``text`` to the style sheet of every window that Ryven creates from now on."""
    if text and text not in _added:
        _added.append(text)


@workaround(RYVEN)
def dress() -> None:
    """gui/styling/window_theme.py:99: the icons of the style sheet are pure blue, unreadable on the dark theme."""
    from ryven.gui.styling import window_theme

    original = window_theme.apply_stylesheet

    def apply_stylesheet(style: str) -> Any:
        from qtpy.QtCore import QDir
        from qtpy.QtWidgets import QApplication

        app = QApplication.instance()
        with _held_back(app) as sheets:
            theme = original(style)
        QDir.setSearchPaths("icon", [str(grey_icons())])
        sheet = "".join([*filter(None, sheets), *_added])
        if sheet != app.styleSheet():
            app.setStyleSheet(sheet)
        return theme

    window_theme.apply_stylesheet = apply_stylesheet


@contextmanager
def _held_back(app: Any) -> Iterator[list[str | None]]:
    """The style sheets that ``app`` is given meanwhile, which are not set: each that is styles every widget again."""
    sheets: list[str | None] = []
    app.setStyleSheet = sheets.append
    try:
        yield sheets
    finally:
        del app.setStyleSheet


@lru_cache
def grey_icons() -> Path:
    """A folder with Ryven's icons in a visible colour; it is removed when the process ends."""
    import ryven

    source = Path(ryven.__file__).parent / "resources" / "stylesheets" / "icons"
    folder = Path(tempfile.mkdtemp(prefix="ryven-llm-icons-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for file in source.glob("*.svg"):
        text = file.read_text(encoding="utf-8")
        (folder / file.name).write_text(re.sub("#0000ff", ICON_COLOUR, text, flags=re.IGNORECASE), encoding="utf-8")
    return folder
