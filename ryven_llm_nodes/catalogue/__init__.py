"""The node classes, found in the folders of their groups. Importing this loads no Qt, torch, transformers or trl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from ryven_llm_nodes.catalogue.node import LLMNode, Port

FOLDERS: Final = ("sources", "data", "rewards", "tools", "adapters", "methods", "evaluation", "outputs")
"""The groups of nodes, in the order of a pipeline."""


def _nodes_in(folder: str) -> Iterator[type[LLMNode]]:
    """The nodes that the modules of ``folder`` define: those with a title."""
    package = import_module(f"{__name__}.{folder}")
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        for found in vars(import_module(module.name)).values():
            is_node = isinstance(found, type) and issubclass(found, LLMNode) and "title" in vars(found)
            if is_node and found.__module__ == module.name:
                yield found


GROUPS: Final[Mapping[str, tuple[type[LLMNode], ...]]] = {
    import_module(f"{__name__}.{folder}").TITLE: tuple(
        sorted(_nodes_in(folder), key=lambda node: (node.position, node.title))
    )
    for folder in FOLDERS
}
"""The nodes by the title of their group."""

ALL_NODES: Final[tuple[type[LLMNode], ...]] = tuple(node for group in GROUPS.values() for node in group)

globals().update({node.__name__: node for node in ALL_NODES})

__all__ = ["ALL_NODES", "GROUPS", "LLMNode", "Port", *(node.__name__ for node in ALL_NODES)]
