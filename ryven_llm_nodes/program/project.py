"""Writes Ryven projects: flows drawn by templates, the demo, and tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.node import PACKAGE
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.program.carried import COPY, ROOT
from ryven_llm_nodes.program.flow import graph_of, read_project
from ryven_llm_nodes.program.graph import Graph
from ryven_llm_nodes.program.launch.settings import KEY
from ryven_llm_nodes.program.mending import FORMAT, stored_node
from ryven_llm_nodes.system.files import write_whole

COLUMN, ROW = 300, 150

_End: TypeAlias = tuple[int, type[LLMNode], str]
"""An end of a wire: the place of a node in the list, its class, and the name of a port."""


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

    Raises KeyError for a wire of a node or port that does not exist.
    """
    nodes = list(nodes)
    places = {placement.name: i for i, placement in enumerate(nodes)}
    placed = [
        stored_node(node.node, i + 2, node.name, node.params, (node.column * COLUMN, node.row * ROW))
        for i, node in enumerate(nodes)
    ]
    return _project(title, placed, [_connection(wire, nodes, places) for wire in wires])


def _project(
    title: str, nodes: list[Any], connections: list[Any], launch: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    flow = {"algorithm mode": "data", "nodes": nodes, "connections": connections, "output data": [], "GID": 1}
    flow |= {KEY: launch} if launch else {}
    # A bare name is looked up among the packages installed in Ryven, on any machine.
    packages = [{"name": PACKAGE, "dir": PACKAGE}]
    info = dict(FORMAT["general info"])
    return {"general info": info, "required packages": packages, "GID": 0, "addons": {}, "flows": {title: flow}}


def _connection(wire: str, nodes: list[Placement], places: Mapping[str, int]) -> dict[str, int]:
    source, target = (end.strip().split(".") for end in wire.split("->"))
    out, into = ((places[name], nodes[places[name]].node, port) for name, port in (source, target))
    return _wire(out, into)


def _wire(out: _End, into: _End) -> dict[str, int]:
    outputs = {port.name: i for i, port in enumerate(out[1].out_ports)}
    inputs = {port.name: i for i, port in enumerate(into[1].in_ports)}
    return {
        "parent node index": out[0],
        "output port index": outputs[out[2]],
        "connected node": into[0],
        "connected input port index": inputs[into[2]],
    }


def project_of(graph: Graph, folder: Path) -> dict[str, Any]:
    """A copy of ``graph``'s flow to be stored in ``folder``; relative paths still lead to files next to the original.

    It holds nodes, names, values, wires and places; reading it gives the same steps.
    """
    titles = {step.name: step.title for step in graph.steps}
    found = graph_of_project(_copy(graph, titles), graph.root)
    for step, again in zip(graph.steps, found.steps, strict=True):
        if step.name != again.name:  # numbered after a node that is not in this part of the flow
            titles[step.name] = step.name
    return {**_copy(graph, titles), ROOT: relative_root(graph.root, folder), COPY: True}


def as_project(graph: Graph) -> dict[str, Any]:
    """``graph`` as a project of its own: a node without a title is called by its name."""
    return _copy(graph, {step.name: step.title or step.name for step in graph.steps})


def _copy(graph: Graph, titles: Mapping[str, str]) -> dict[str, Any]:
    place = {step.name: i for i, step in enumerate(graph.steps)}
    nodes = [stored_node(s.node, i + 2, titles[s.name], s.given, s.place) for i, s in enumerate(graph.steps)]
    wires = [
        _wire((place[wire.step], graph.by_name[wire.step].node, wire.port), (place[step.name], step.node, port))
        for step in graph.steps
        for port, wire in step.wires.items()
    ]
    return _project(graph.title, nodes, wires, graph.launch.to_data())


def relative_root(root: Path, folder: Path) -> str:
    """``root`` as a project in ``folder`` says where its relative paths lead (the key ROOT)."""
    try:
        return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return str(root.resolve())


def write_project(data: Mapping[str, Any], path: Path) -> None:
    """Writes a project to ``path`` atomically."""
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text.encode("utf-8", "backslashreplace").decode())  # a lone surrogate as its JSON escape


def set_values(path: Path, graph: Graph, values: Mapping[str, JSON]) -> None:
    """Sets parameters of the flow ``graph`` in the project at ``path``, by NODE.PARAM; all else stays as it is.

    The previous version stays as ``<name>.bak``. Raises FlowError and UsageError.
    """
    flow_file = json.loads(json.dumps(read_project(path)))
    called = graph.title
    nodes = flow_file["flows"][called]["nodes"]
    for name, value in values.items():
        step, _, parameter = name.partition(".")
        about = nodes[graph.by_name[step].index]["additional data"]
        about["params"] = {**about.get("params", {}), parameter: value}
    write_whole(path, json.dumps(flow_file, indent=2, ensure_ascii=False) + "\n", keep=True)


def graph_of_project(data: Mapping[str, Any], root: Path, source: str = "") -> Graph:
    """The graph of a project with one flow that is not on disk yet."""
    ((title, flow),) = data["flows"].items()
    return graph_of(flow, title, root, source)
