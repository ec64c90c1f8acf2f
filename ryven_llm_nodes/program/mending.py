"""Cleans a project before Ryven opens it: of our nodes only their meaning is kept, the rest of a file is untrusted.

Ryven stores a node's ports, pickled values, widget states and menu entries next to its parameters, trusts them, and
fails if any are missing. Ours have the ports of their class, no state of their own, and the menu of their class,
so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.node import BYPASSED, PACKAGE, is_bypassed, stored
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.program.annotations import KEY as ANNOTATIONS
from ryven_llm_nodes.program.flow import NODES, pixels
from ryven_llm_nodes.program.launch.settings import KEY

EMPTY_STATE: Final = "gASVAQAAAAAAAAB9lC4="  # base64 of a pickled {}, which Ryven wants for every node
SHOWN: Final = ("unconnected ports hidden", "collapsed")
MODES: Final = ("data", "exec", "data opt")
FORMAT: Final[Mapping[str, Any]] = {
    "general info": {"type": "Ryven project file", "ryven version": "3.5.0"},
    "required packages": [],
    "addons": {},
}
LAYOUT: Final = ("geometry", "state", "flow_uis", "flow_ui_template")
"""Where windows and docks were when a project was saved: a matter of the user who opens it."""


def mended(project: Mapping[str, Any]) -> dict[str, Any]:
    """``project``, which has been read by ``read_project``, as Ryven can open it.

    In a flow with nodes of other packages, only our nodes are changed.
    """
    kept = {key: value for key, value in project.items() if key not in LAYOUT}
    known = {key: value for key, value in kept.items() if isinstance(value, type(FORMAT.get(key, value)))}
    flows = {title: _mended_flow(flow) for title, flow in project["flows"].items()}
    return {**FORMAT, **known, "general info": FORMAT["general info"], "flows": flows, "GID": 0}


def _mended_flow(flow: Mapping[str, Any]) -> dict[str, Any]:
    nodes, wires = (_list(flow.get(key)) for key in ("nodes", "connections"))
    placed = [_mended_node(node, i + 2) if _is_ours(node) else node for i, node in enumerate(nodes)]
    if not all(map(_is_ours, nodes)):
        return {**flow, "nodes": placed}
    mode = flow.get("algorithm mode")
    return {
        **{key: flow[key] for key in ("flow view", KEY, ANNOTATIONS) if isinstance(flow.get(key), dict)},
        "algorithm mode": mode if isinstance(mode, str) and mode in MODES else MODES[0],
        "nodes": placed,
        "connections": [wire for wire in wires if _leads_somewhere(wire, nodes)],
        "output data": [],
        "GID": 1,
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_ours(node: Any) -> bool:
    identifier = node.get("identifier") if isinstance(node, dict) else None
    return isinstance(identifier, str) and identifier in NODES


def _mended_node(node: Mapping[str, Any], number: int) -> dict[str, Any]:
    name, params = stored(node.get("additional data"))
    place = pixels(node.get("pos x")), pixels(node.get("pos y"))
    shown = {key: node[key] for key in SHOWN if isinstance(node.get(key), bool)}
    made = stored_node(NODES[node["identifier"]], number, name, params, place)
    if is_bypassed(node.get("additional data")):
        made["additional data"][BYPASSED] = True
    return {**shown, **made}


def stored_node(
    node: type[LLMNode], number: int, name: str, params: Mapping[str, JSON], place: tuple[float, float]
) -> dict[str, Any]:
    """A node of ours as Ryven stores it; ``number`` is unique in its project, ``place`` in pixels."""
    return {
        "GID": number,
        "version": node.version,
        "identifier": f"{PACKAGE}.{node.__name__}",
        "state data": EMPTY_STATE,
        "additional data": {"name": name, "params": dict(params)},
        "inputs": [],
        "outputs": [],
        "pos x": place[0],
        "pos y": place[1],
    }


def _leads_somewhere(wire: Any, nodes: list[Any]) -> bool:
    """Whether both ends of a wire exist."""
    if not isinstance(wire, dict):
        return False
    ends = (("parent node index", "output port index"), ("connected node", "connected input port index"))
    (source, out), (target, into) = ([wire.get(key) for key in end] for end in ends)
    if not (_is_index(source, nodes) and _is_index(target, nodes)):
        return False
    ports = NODES[nodes[source]["identifier"]].out_ports, NODES[nodes[target]["identifier"]].in_ports
    return _is_index(out, ports[0]) and _is_index(into, ports[1])


def _is_index(value: Any, items: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(items)
