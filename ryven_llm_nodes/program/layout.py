"""Places the nodes of a graph in columns, by what they need."""

from __future__ import annotations

from dataclasses import replace

from ryven_llm_nodes.program.graph import Graph
from ryven_llm_nodes.program.project import COLUMN, ROW


def laid_out(graph: Graph) -> Graph:
    """``graph`` with each node one column right of those that it reads. Raises FlowError for a cycle."""
    columns: dict[str, int] = {}
    rows: dict[int, int] = {}
    placed = {}
    for step in graph.order:
        column = 1 + max((columns[wire.step] for wire in step.wires.values()), default=-1)
        columns[step.name] = column
        placed[step.name] = replace(step, place=(float(column * COLUMN), float(rows.get(column, 0) * ROW)))
        rows[column] = rows.get(column, 0) + 1
    return replace(graph, steps=tuple(placed[step.name] for step in graph.steps))
