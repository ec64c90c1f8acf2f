"""Adds the actions to menus: our own, and Ryven's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import QMenu

from ryven_llm_nodes.gui.state import preferences
from ryven_llm_nodes.gui.state.recent import recent
from ryven_llm_nodes.gui.window.actions import Action, Actions
from ryven_llm_nodes.host.palette import CHOICE, chosen
from ryven_llm_nodes.templates import ABOUT

APPEARANCES = {"system": "As the System", "dark": "Dark", "light": "Light"}


def fill_menus(window: Any, shell: Any) -> None:
    """Fills the menus of ``window`` with the actions of ``shell``."""
    actions = shell.actions
    _own_menu(window, actions)
    for action, made in actions.having(lambda action: action.menu == "File"):
        window.ui.menuFile.insertAction(_place(window, action), made)
    _beginnings(window, shell)
    window.menuBar().addMenu("Help").addActions([made for _, made in actions.having(lambda one: one.menu == "Help")])
    _appearance(window, shell)
    _canvas_menu(window, actions, shell.flows.current_view)


def _appearance(window: Any, shell: Any) -> None:
    """The choice between light and dark, which takes effect at the next start."""
    menu = window.ui.menuView.addMenu("Appearance")
    group = QActionGroup(menu)
    for name, text in APPEARANCES.items():
        action = menu.addAction(text, partial(_choose, shell, name, text))
        action.setCheckable(True)
        action.setChecked(chosen() == name)
        group.addAction(action)


def _choose(shell: Any, name: str, text: str) -> None:
    preferences.keep(CHOICE, name)
    shell.say(f"Appearance: {text}, from the next start on.")


def _beginnings(window: Any, shell: Any) -> None:
    """The menus of recent flows and of templates, right after Open."""
    menu, first = window.ui.menuFile, shell.actions["from_data"]
    recent_menu, templates = QMenu("Open Recent", menu), QMenu("Templates", menu)
    for made in (recent_menu, templates):
        menu.insertMenu(first, made)
    for name, about in ABOUT.items():
        templates.addAction(about.title, partial(shell.starting.use_template, name))

    def fill() -> None:
        recent_menu.clear()
        for path in recent():
            recent_menu.addAction(str(path), partial(shell.starting.open_path, path))
        recent_menu.setEnabled(bool(recent_menu.actions()))

    menu.aboutToShow.connect(fill)
    fill()
    menu.insertSeparator(window.ui.actionImport_Nodes)


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
            for action, made in actions.having(lambda action: action.menu == "Canvas"):
                if action.group:
                    menu.addSeparator()
                menu.addAction(made)
            menu.addSeparator()
            menu.addActions(canvas.menu().actions())

    menu.aboutToShow.connect(fill)
