"""Draws wires by keys: a searchable list of those that fit, whose pins glow while one is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from qtpy.compat import isalive
from qtpy.QtCore import QPoint

from ryven_llm_nodes.gui.help.finder import Command, Finder
from ryven_llm_nodes.gui.state.drawn import names_in
from ryven_llm_nodes.gui.style.families import title_of
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.host.ports import declared_port
from ryven_llm_nodes.host.wires import connect, light, missing_wires

NONE_FITS: Final = "✗ Connect: no wire fits here that is not drawn yet."
PROMPT: Final = "Which wire? Enter draws it"
SIZE: Final = (460, 260)
GAP: Final = 10

Wire = tuple[Any, Any]


class Connecting:
    """Draws wires in the flow in front of ``window``; ``say`` adds a line to the log."""

    def __init__(self, window: Any, flows: Flows, say: Callable[[str], object]) -> None:
        self._window, self._flows, self._say = window, flows, say

    def show(self) -> Finder | None:
        """Lists the wires that fit the selected nodes, or all that fit where none is selected; None if none does."""
        if (view := self._flows.current_view()) is None:
            return None
        wires = sorted(missing_wires(view, view.selected_nodes() or view.flow.nodes), key=partial(_replaces, view))
        if not wires:
            self._say(NONE_FITS)
            return None
        finder = Finder(self._window, _commands(view, wires), PROMPT)
        finder.pointed.connect(lambda place: light(view, set(wires[place]) if place >= 0 else set()))
        finder.finished.connect(lambda _: isalive(view) and light(view, None))
        finder.resize(*SIZE)
        finder.open_at(_below(view, finder))
        light(view, set(wires[0]))
        return finder


def _replaces(view: Any, wire: Wire) -> bool:
    """Whether ``wire`` takes the place of another: these come last."""
    return view.flow.connected_output(wire[1]) is not None


def _commands(view: Any, wires: Iterable[Wire]) -> Iterable[Command]:
    names = names_in(view.flow)
    for out, inp in wires:
        before = view.flow.connected_output(inp)
        aside = f"replaces {_pin(names, before)}" if before is not None else ""
        tip = f"{title_of(out.node)} {title_of(inp.node)} {declared_port(inp).help}"
        yield Command(f"{_pin(names, out)} -> {_pin(names, inp)}", tip, aside, True, partial(connect, view, out, inp))


def _pin(names: Mapping[Any, str], port: Any) -> str:
    """A pin as a flow file names it: ``dpo.reference``."""
    return f"{names.get(port.node) or title_of(port.node)}.{declared_port(port).name}"


def _below(view: Any, finder: Finder) -> QPoint:
    """Below the canvas as far as its window has room, so that the pins above it are seen."""
    window, canvas = view.window(), view.viewport()
    lowest = window.mapToGlobal(window.rect().bottomLeft()).y() - finder.height() - GAP
    below = canvas.mapToGlobal(canvas.rect().bottomLeft() + QPoint(GAP, GAP))
    return QPoint(below.x(), min(below.y(), lowest))
