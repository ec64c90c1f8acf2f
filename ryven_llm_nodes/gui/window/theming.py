"""The theme of canvas and window."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QAction, QColor, QPalette
from qtpy.QtWidgets import QApplication

from ryven_llm_nodes.gui.style.colours import ACCENT
from ryven_llm_nodes.gui.style.sheets import WINDOW_STYLE
from ryven_llm_nodes.gui.style.theme import LLMTheme
from ryven_llm_nodes.host.palette import SCHEME


def use_theme(window: Any) -> None:
    """The theme of canvas and window. The style sheet is set here only if it was not set before."""
    design = window.session_gui.design
    theme = next((t for t in design.flow_themes if isinstance(t, LLMTheme)), None) or LLMTheme()
    if theme not in design.flow_themes:
        design.flow_themes.append(theme)
        _offer_theme(window, theme)
    # Stock Ryven may have been started with a window theme of its own.
    if getattr(window.theme, "name", SCHEME) == SCHEME and design.flow_theme is not theme:
        design.set_flow_theme(theme=theme)
    app = QApplication.instance()
    if WINDOW_STYLE not in app.styleSheet():
        app.setStyleSheet(app.styleSheet() + WINDOW_STYLE)
    colours = app.palette()
    for role in (QPalette.ColorRole.Link, QPalette.ColorRole.LinkVisited):
        colours.setColor(role, QColor(ACCENT))  # no style sheet reaches the links of a document
    if colours != app.palette():
        app.setPalette(colours)


def _offer_theme(window: Any, theme: LLMTheme) -> None:
    """Adds ``theme`` to the menu of themes, which Ryven has filled before: one that was left could not be chosen."""
    menu = window.ui.menuFlow_Design_Style
    action = QAction(f"{theme.name} (default)", window)
    menu.insertAction(menu.actions()[0] if menu.actions() else None, action)
    action.triggered.connect(lambda: window.session_gui.design.set_flow_theme(theme=theme))
