"""How values and nodes look: colour and icon."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.style.colours import ACCENT, FAMILY_COLOURS, GOOD, NEUTRAL, VIOLET, WARN

KIND_COLOURS: Final = {"model": ACCENT, "dataset": GOOD, "reward": WARN, "adapter": VIOLET}
"""Colours of wires and pins."""

ACCENTS: Final = {**KIND_COLOURS, **FAMILY_COLOURS}
"""Colours of nodes, by their family or role."""


def colour_of(node: type[LLMNode]) -> str:
    """The colour of a node."""
    return ACCENTS.get(node.accent, NEUTRAL)


def title_of(node: LLMNode) -> str:
    """The caption of a node: its title, and its name if it was given one."""
    return f"{node.title} · {node.name}" if node.name else node.title
