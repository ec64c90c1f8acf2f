"""The Help menu: the page of the selected node, all shortcuts, and the search of commands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.help.finder import Command, Finder
from ryven_llm_nodes.gui.help.window import HelpWindow
from ryven_llm_nodes.templates import ABOUT


class Helping:
    """Help for the window of ``shell``."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._window: HelpWindow | None = None

    @property
    def window(self) -> HelpWindow:
        """The help window; created when it is first needed."""
        if self._window is None:
            self._window = HelpWindow(self._shell.window)
        return self._window

    def show_node(self) -> None:
        """Shows the page of the selected node, or the list of all."""
        state = self._shell.flows.current_state()
        node = state.selection if state is not None else None
        if isinstance(node, LLMNode):
            self.window.show_node(type(node))
        else:
            self.window.show_index()

    def show_shortcuts(self) -> None:
        """Shows the sheet of shortcuts, made from the table of actions."""
        actions = self._shell.actions.having(lambda action: bool(action.key))
        self.window.show_shortcuts((action.menu, action.key, action.tip) for action, _ in actions)

    def find(self) -> Finder:
        """Opens the search of commands."""
        finder = Finder(self._shell.window, self._commands())
        finder.open_over()
        return finder

    def _commands(self) -> Iterator[Command]:
        shell = self._shell
        for action, made in shell.actions.having(lambda action: action.name != "find"):
            yield Command(action.text, action.tip, action.key, made.isEnabled(), made.trigger)
        for name, about in ABOUT.items():
            yield Command(f"New: {about.title}", name, "", True, partial(shell.starting.use_template, name))
        for node in shell.palette.nodes:
            if issubclass(node, LLMNode):
                yield Command(f"Add {node.title}", node.summary(), "", True, partial(shell.flows.place, node))
