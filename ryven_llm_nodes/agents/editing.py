"""Changes of a flow, as functions from a graph to a graph. What does not fit is rejected in a line that says what does.

Values are only stored: a check tells whether they are right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.catalogue.node import Port
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.errors import UsageError, suggestion
from ryven_llm_nodes.program.graph import Graph, Step, Wire
from ryven_llm_nodes.program.layout import laid_out
from ryven_llm_nodes.program.names import identifier
from ryven_llm_nodes.program.project import as_project, write_project
from ryven_llm_nodes.program.settings import find_step

KINDS: Final[Mapping[str, type[LLMNode]]] = {node.__name__.lower(): node for node in ALL_NODES}


def kind_of(name: str) -> type[LLMNode]:
    """The class of nodes called ``name``, in any case, with or without spaces. Raises UsageError."""
    wanted = name.replace(" ", "").lower()
    if wanted in KINDS:
        return KINDS[wanted]
    raise UsageError(f"there is no node {name!r}.{suggestion(wanted, list(KINDS))} list_nodes lists them.")


def add(graph: Graph, kind: str, name: str = "", values: Mapping[str, JSON] | None = None) -> tuple[Graph, Step]:
    """A new node, called ``name``, with ``values``. Raises UsageError for a kind, name or parameter that cannot be."""
    node = kind_of(kind)
    step = Step(_free(graph, name, node), node, index=len(graph.steps))
    step = replace(step, title=step.name)
    graph = replace(graph, steps=(*graph.steps, step))
    graph = set_values(graph, step.name, values or {})
    return graph, graph.by_name[step.name]


def _free(graph: Graph, name: str, node: type[LLMNode]) -> str:
    if not name:
        names = (node.stem if count == 1 else f"{node.stem}_{count}" for count in range(1, len(graph.steps) + 2))
        return next(name for name in names if name not in graph.by_name)
    if name in graph.by_name:
        raise UsageError(f"there is already a node {name!r}; choose another name.")
    if name != identifier(name, node.stem):
        raise UsageError(f"{name!r} is no name of a node; {identifier(name, node.stem)!r} is.")
    return name


def set_values(graph: Graph, name: str, values: Mapping[str, JSON]) -> Graph:
    """The node ``name`` with other ``values``; null puts a parameter back to its default. Raises UsageError."""
    step = find_step(graph, name)
    known = step.node.all_parameters()
    given = dict(step.given)
    for parameter, value in values.items():
        if parameter not in known:
            raise UsageError(f"{step.label} > {parameter}: {step.node._unknown(parameter)}")
        if value is None and not _takes_null(known[parameter]):
            given.pop(parameter, None)
        else:
            given[parameter] = value
    return _with(graph, replace(step, given=given))


def _takes_null(parameter: Parameter) -> bool:
    """Whether null is a value of its own, other than the default."""
    return type(None) in parameter.types and parameter.default is not None


def remove(graph: Graph, name: str) -> Graph:
    """Without the node ``name`` and its wires. Raises UsageError."""
    gone = find_step(graph, name)
    steps = (replace(s, wires={p: w for p, w in s.wires.items() if w.step != name}) for s in graph.steps)
    return replace(graph, steps=tuple(s for s in steps if s.name != gone.name))


def connect(graph: Graph, source: str, target: str) -> tuple[Graph, str]:
    """A wire from ``NODE`` or ``NODE.PORT`` to ``NODE`` or ``NODE.PORT``, and how it reads.

    A port that is left out is the only one that fits; an input that has a wire gets this one instead, if it is named.
    Raises UsageError for ports that do not fit.
    """
    (giver, out), (taker, into) = (_end(graph, end) for end in (source, target))
    pairs = [
        (a, b)
        for a in giver.node.out_ports
        for b in taker.node.in_ports
        if a.kind == b.kind and out in ("", a.name) and into in ("", b.name) and (into or b.name not in taker.wires)
    ]
    required = [pair for pair in pairs if not pair[1].optional] or pairs
    if len(required) != 1:
        raise UsageError(_no_wire(giver, taker, required))
    ((a, b),) = required
    wired = replace(taker, wires={**taker.wires, b.name: Wire(giver.name, a.name)})
    graph = _with(graph, wired)
    _ = graph.order  # raises FlowError for a circle
    return graph, f"{giver.name}.{a.name} -> {taker.name}.{b.name}"


def _no_wire(giver: Step, taker: Step, fitting: list[tuple[Port, Port]]) -> str:
    if fitting:
        choices = ", ".join(f"{giver.name}.{a.name} -> {taker.name}.{b.name}" for a, b in fitting)
        return f"several wires fit; name the ports: {choices}."
    gives, takes = (
        ", ".join(f"{port.name} ({port.kind})" for port in ports) or "nothing"
        for ports in (giver.node.out_ports, taker.node.in_ports)
    )
    return f"no wire fits: {giver.label} gives {gives}; {taker.label} takes {takes}, each once."


def disconnect(graph: Graph, target: str) -> Graph:
    """Without the wire into ``NODE.PORT``. Raises UsageError."""
    step, port = _end(graph, target)
    if port not in step.wires:
        raise UsageError(f"{target}: there is no wire. Wired inputs of {step.name}: {', '.join(step.wires) or 'none'}.")
    return _with(graph, replace(step, wires={p: w for p, w in step.wires.items() if p != port}))


def _end(graph: Graph, text: str) -> tuple[Step, str]:
    name, _, port = text.strip().partition(".")
    return find_step(graph, name), port


def _with(graph: Graph, step: Step) -> Graph:
    return replace(graph, steps=tuple(step if s.name == step.name else s for s in graph.steps))


def write(graph: Graph, path: Path) -> None:
    """Writes ``graph`` to a flow file, atomically; its nodes are laid out in columns by what they need."""
    write_project(as_project(laid_out(graph)), path)


def described(graph: Graph) -> dict[str, Any]:
    """``graph`` as plain data: nodes with the values that were set, and wires."""
    nodes = [{"name": s.name, "kind": s.node.__name__, "values": dict(s.given)} for s in graph.steps]
    wires = [f"{w.step}.{w.port} -> {s.name}.{port}" for s in graph.steps for port, w in s.wires.items()]
    return {"flow": graph.title, "nodes": nodes, "wires": wires}
