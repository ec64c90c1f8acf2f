"""What tests ask of a flow that was made from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.importing.files import Imported
from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.program.project import graph_of_project


def graph(found: Imported, root: Path) -> Graph:
    """Its flow."""
    return graph_of_project(found.project, root)


def only(drawn: Graph, kind: type[LLMNode]) -> Mapping[str, Any]:
    """The values of the only node of ``kind``."""
    (step,) = (step for step in drawn.steps if step.node is kind)
    return step.given


def told(found: Imported) -> dict[str, str]:
    """What its user has to know, by key."""
    return {problem.parameter: f"{problem.weight}: {problem.message}" for problem in found.told}
