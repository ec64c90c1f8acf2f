"""Adds the actions to menus: our own, and Ryven's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtGui import QAction

from ryven_llm_nodes.gui.window.actions import Action, Actions


def fill_menus(window: Any, actions: Actions, view: Callable[[], Any | None]) -> None:
    """Fills the menus of ``window``; ``view`` gives the canvas in front."""
    _own_menu(window, actions)
    for action, made in actions.having(lambda action: action.menu == "File"):
        window.ui.menuFile.insertAction(_place(window, action), made)
    _canvas_menu(window, actions, view)


def _own_menu(window: Any, actions: Actions) -> None:
    menu = window.menuBar().addMenu("LLM")
    menu.setToolTipsVisible(True)
    for action, made in actions.having(lambda action: action.menu == "LLM"):
        if action.group:
            menu.addSeparator()
        menu.addAction(made)


def _place(window: Any, action: Action) -> QAction | None:
    if not action.before:
        return None
    item = getattr(window.ui, action.before)
    return item if isinstance(item, QAction) else item.menuAction()


def _canvas_menu(window: Any, actions: Actions, view: Callable[[], Any | None]) -> None:
    """The entries of Ryven's button on the canvas, and our own actions that need a canvas."""
    menu = window.ui.menuView.addMenu("Canvas")

    def fill() -> None:
        menu.clear()
        if (canvas := view()) is not None:
            menu.addActions([made for _, made in actions.having(lambda action: action.menu == "Canvas")])
            menu.addSeparator()
            menu.addActions(canvas.menu().actions())

    menu.aboutToShow.connect(fill)
