"""A flow as it was read, with its nodes: what a check or a run finds belongs to these, whatever is drawn by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import Graph, read_live_flow


@dataclass(frozen=True)
class Drawn:
    """The ``graph`` of ``flow``, and the node of each of its steps, by the name of the step."""

    flow: Any
    graph: Graph
    nodes: Mapping[str, LLMNode]

    @classmethod
    def of(cls, graph: Graph, flow: Any) -> Drawn:
        """``graph``, just read from ``flow``: a step knows its node by its place among those of the flow."""
        return cls(flow, graph, {step.name: flow.nodes[step.index] for step in graph.steps})

    def step_of(self, node: LLMNode) -> str:
        """The name of the step that ``node`` is; empty if it is none."""
        return next((name for name, one in self.nodes.items() if one is node), "")


def names_in(flow: Any) -> dict[LLMNode, str]:
    """The nodes of ``flow`` with the names that they have in its script; none where two have the same."""
    try:
        drawn = Drawn.of(read_live_flow(flow, Path()), flow)
    except FlowError:
        return {}
    return {node: name for name, node in drawn.nodes.items()}
