"""Writes Ryven projects: what a template, the demo, or a test draws without a mouse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.program.files import write_whole
from ryven_llm_nodes.program.flow import graph_of
from ryven_llm_nodes.program.graph import Graph

RYVEN_VERSION: Final = "3.5.0"
PACKAGE: Final = "ryven_llm_nodes"
EMPTY_STATE: Final = "gASVAQAAAAAAAAB9lC4="  # base64 of a pickled {}, which Ryven wants for every node
COLUMN, ROW = 300, 150


@dataclass(frozen=True)
class Placement:
    """A node on the canvas: ``column`` and ``row`` count from the top left."""

    name: str
    node: type[LLMNode]
    params: Mapping[str, JSON] = field(default_factory=dict)
    column: float = 0
    row: float = 0


def project(title: str, nodes: Iterable[Placement], wires: Iterable[str]) -> dict[str, Any]:
    """A Ryven project with one flow; ``wires`` are written as ``"sft.model -> ppo.model"``.

    Raises KeyError for a wire of a node or port that there is not.
    """
    nodes = list(nodes)
    places = {placement.name: i for i, placement in enumerate(nodes)}
    flow = {
        "algorithm mode": "data",
        "nodes": [_node(placement, i + 2) for i, placement in enumerate(nodes)],
        "connections": [_connection(wire, nodes, places) for wire in wires],
        "output data": [],
        "GID": 1,
    }
    # A bare name is looked up among the packages that the user has installed in Ryven, on any machine.
    packages = [{"name": PACKAGE, "dir": PACKAGE}]
    info = {"type": "Ryven project file", "ryven version": RYVEN_VERSION}
    return {"general info": info, "required packages": packages, "GID": 0, "addons": {}, "flows": {title: flow}}


def _node(placement: Placement, gid: int) -> dict[str, Any]:
    return {
        "GID": gid,
        "version": placement.node.version,
        "identifier": f"{PACKAGE}.{placement.node.__name__}",
        "state data": EMPTY_STATE,
        "additional data": {"name": placement.name, "params": dict(placement.params)},
        "inputs": [],
        "outputs": [],
        "pos x": placement.column * COLUMN,
        "pos y": placement.row * ROW,
    }


def _connection(wire: str, nodes: list[Placement], places: Mapping[str, int]) -> dict[str, int]:
    source, target = (end.strip().split(".") for end in wire.split("->"))
    outputs = [port.name for port in nodes[places[source[0]]].node.out_ports]
    inputs = [port.name for port in nodes[places[target[0]]].node.in_ports]
    return {
        "parent node index": places[source[0]],
        "output port index": dict(zip(outputs, range(9), strict=False))[source[1]],
        "connected node": places[target[0]],
        "connected input port index": dict(zip(inputs, range(9), strict=False))[target[1]],
    }


def write_project(data: Mapping[str, Any], path: Path) -> None:
    """Writes a project to ``path``, whole or not at all."""
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text.encode("utf-8", "backslashreplace").decode())  # a lone surrogate as its JSON escape


def graph_of_project(data: Mapping[str, Any], root: Path, source: str = "") -> Graph:
    """The graph of a project with one flow that is not on disk yet."""
    ((title, flow),) = data["flows"].items()
    return graph_of(flow, title, root, source)
