"""A flow as it is rehearsed: the same nodes, wires and data, but small models, few steps, and an output of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ryven_llm_nodes.program.graph import Graph

FOLDER_ENDING: Final = "-rehearsal"


def rehearsal_of(graph: Graph, steps: Mapping[str, int], usual: int) -> Graph:
    """The rehearsal of ``graph``; ``steps`` are the optimizer steps of trainers, by name, ``usual`` those of others."""
    given = {s.name: s.node.rehearsed(s.given, s.name, steps.get(s.name, usual)) for s in graph.steps}
    changed = tuple(replace(step, given=given[step.name]) for step in graph.steps)
    return replace(graph, title=f"{graph.title} (rehearsal)", steps=changed)


def rehearsal_folder(output_dir: Path) -> Path:
    """Where a rehearsal of the flow with ``output_dir`` writes to: next to it, never into it."""
    folder = output_dir.absolute()
    return folder.with_name(folder.name + FOLDER_ENDING)
