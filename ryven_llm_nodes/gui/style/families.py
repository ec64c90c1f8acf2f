"""How kinds and families of nodes look: colour, icon, and the groups of the palette."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.catalogue import ExportScript, LLMNode
from ryven_llm_nodes.gui.style.colours import FAMILY_COLOURS

KIND_COLOURS: Final = {"model": "#4ea1ff", "dataset": "#5fd38d", "reward": "#f2b04f", "adapter": "#c58cff"}
"""Colours of wires and pins."""

GROUPS: Final = {
    "source": "Models and data",
    "reward": "Rewards",
    "adapter": "Adapters",
    "trainer": "Trainers",
    "output": "Outputs",
}
"""The families in the order of a pipeline, and what the palette calls them."""


def colour_of(node: type[LLMNode]) -> str:
    """The colour of a node: of its family, or, among sources, of what it gives."""
    if node.family == "source" and node.out_ports:
        return KIND_COLOURS[node.out_ports[0].kind]
    return FAMILY_COLOURS.get(node.family, "#98a3b0")


def glyph_of(node: type[LLMNode]) -> str:
    """The name of a node's glyph."""
    if node.family == "trainer":
        return "trainer"
    if node.family == "output":
        return "code" if node is ExportScript else "save"
    return node.out_ports[0].kind if node.out_ports else "code"


def title_of(node: LLMNode) -> str:
    """What stands on a node: its title, and its name where it was given one."""
    return f"{node.title} · {node.name}" if node.name else node.title
