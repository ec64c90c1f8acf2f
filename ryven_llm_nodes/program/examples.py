"""An example of a node: what it contributes to a script, with usual values and whatever fits wired to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.catalogue.node import Port
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program.build import build
from ryven_llm_nodes.program.graph import Graph, Step, Wire
from ryven_llm_nodes.program.names import Names


def example_of(node: type[LLMNode]) -> str:
    """The text of ``node`` in a script; empty where it needs more than usual values."""
    steps: list[Step] = []
    name = _add(node, steps, Names())
    try:
        return build(Graph("example", tuple(steps), Path("/nowhere"))).script.cell_text(name)
    except LLMNodesError:
        return ""


def _add(node: type[LLMNode], steps: list[Step], names: Names) -> str:
    """Adds a step of ``node``, and before it what its required inputs need; returns its name."""
    wires = {port.name: _source(port, steps, names) for port in node.in_ports if not port.optional}
    given = _usual(node)
    step = Step(names.claim(node.own_name(given)), node, given, wires, len(steps))
    steps.append(step)
    return step.name


def _source(port: Port, steps: list[Step], names: Names) -> Wire:
    """An output of the simplest node that gives what ``port`` takes."""
    needed = {node: [one.kind for one in node.in_ports if not one.optional] for node in ALL_NODES}
    givers = [node for node in ALL_NODES if any(out.kind == port.kind for out in node.out_ports)]
    giver = min((node for node in givers if port.kind not in needed[node]), key=lambda node: len(needed[node]))
    out = next(out for out in giver.out_ports if out.kind == port.kind)
    return Wire(_add(giver, steps, names), out.name)


def _usual(node: type[LLMNode]) -> Mapping[str, JSON]:
    """The required values that are empty by default: the first of those that are typical."""
    return {
        parameter.name: parameter.typical.split(" or ")[0].split(",")[0]
        for parameter in node.parameters
        if parameter.required and not parameter.default and parameter.typical
    }
