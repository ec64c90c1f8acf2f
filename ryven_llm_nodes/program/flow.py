"""Ryven's projects and flows as graphs. The one file that knows how Ryven stores nodes, ports and connections.

Nothing is unpickled and no Ryven session is made: a project stores parameters as plain JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.catalogue.node import is_bypassed, stored
from ryven_llm_nodes.errors import FlowError, Problem, one_line, shown, suggestion
from ryven_llm_nodes.program.carried import CARRIED_FILE, ROOT, flow_in_script
from ryven_llm_nodes.program.graph import Graph, Step, Wire
from ryven_llm_nodes.program.launch.settings import KEY, Launch
from ryven_llm_nodes.program.names import Names, identifier
from ryven_llm_nodes.program.pickles import refuse_unsafe

NODES: Final = {f"ryven_llm_nodes.{node.__name__}": node for node in ALL_NODES}
LARGEST_PROJECT: Final = 64 * 2**20
LARGEST_CANVAS: Final = 1e6
WANTED: Final = "give a Ryven project, an exported script, or the folder of a model or a run"


@dataclass(frozen=True)
class _Placed:
    """A node as stored: its class, its explicit name, its values, its position in the list."""

    node: type[LLMNode]
    name: str
    given: Mapping[str, Any]
    index: int
    place: tuple[float, float]
    bypassed: bool = False


def read_flow(path: Path, title: str | None = None) -> Graph:
    """The flow of :func:`read_project` of ``path``; ``title`` selects one of several. Raises FlowError."""
    project = read_project(path)
    flows = project["flows"]
    if title is None and len(flows) > 1:
        raise _refused(path, f"contains {len(flows)} flows ({_some(flows)}); choose one with --flow.")
    chosen = next(iter(flows)) if title is None else title
    if chosen not in flows:
        raise _refused(path, f"contains no flow {chosen!r}.{suggestion(chosen, list(flows))}")
    return graph_of(flows[chosen], chosen, root_of(project, path), path.name)


def _some(titles: Iterable[str]) -> str:
    first, more = list(islice(titles, 9)), ", ..."
    return ", ".join(shown(title, 40) for title in first[:8]) + (more if len(first) > 8 else "")


def read_live_flow(flow: Any, root: Path, source: str = "", places: bool = False) -> Graph:
    """The graph of a ``ryvencore.Flow`` in its current state; a step's ``index`` is its place in ``flow.nodes``.

    ``places``: include the positions on the canvas, which only an open window can tell.
    """
    data = flow.session.complete_data(flow.data()) if places else flow.data()
    return replace(graph_of(data, flow.title, root, source), launch=live_launch(flow))


def live_launch(flow: Any) -> Launch:
    """The launch settings of a ``ryvencore.Flow``, which keeps all it was loaded from, but saves its nodes alone."""
    return Launch.of_data((flow.load_data or {}).get(KEY))


def set_live_launch(flow: Any, launch: Launch) -> None:
    """Gives a ``ryvencore.Flow`` other launch settings."""
    flow.load_data = {**(flow.load_data or {}), KEY: launch.to_data()}


def read_project(path: Path) -> Mapping[str, Any]:
    """The project at ``path``, with at least one flow; every reader of projects goes through here.

    ``path`` is a project file, a script with its embedded flow, or the folder of a model or a run,
    which contain it as ``flow.json``. Raises FlowError, also if a pickle holds more than plain data.
    """
    project = _load(path / CARRIED_FILE if os.path.isdir(path) else path)
    flows = project.get("flows") if isinstance(project, dict) else None
    if not isinstance(flows, dict) or not all(isinstance(flow, dict) for flow in flows.values()):
        raise _refused(path, "is not a Ryven project: it has no 'flows'.")
    if not flows:
        raise _refused(path, "contains no flow; open it in the editor and add one.")
    refuse_unsafe(project, str(path))
    return project


def root_of(project: Mapping[str, Any], path: Path) -> Path:
    """The folder that relative paths of ``project``, which was read from ``path``, are looked up in."""
    folder = path.resolve() if os.path.isdir(path) else path.resolve().parent
    relative = project.get(ROOT)
    try:
        return (folder / relative).resolve() if isinstance(relative, str) else folder
    except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
        return folder


def _refused(path: Path, message: str) -> FlowError:
    return FlowError([Problem(message, node=str(path))])


def _load(path: Path) -> Any:
    try:
        if not os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long
            found = "is not a file" if os.path.exists(path) else "does not exist"
            raise _refused(path, f"{found}; {WANTED}.")
        size = path.stat().st_size
        if size > LARGEST_PROJECT:
            raise _refused(path, f"is larger than {LARGEST_PROJECT // 2**20} MB, which no Ryven project is.")
        text = path.read_text(encoding="utf-8") if size else ""  # system files have no size, and some are endless
        # strict=False as in Ryven's own reader: it accepts control characters inside strings
        return flow_in_script(text) if path.suffix == ".py" else json.loads(text, strict=False)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        what = "contains no flow" if path.suffix == ".py" else "is not JSON"
        raise _refused(path, f"{what} ({one_line(str(error))}); {WANTED}.") from error


def graph_of(data: Mapping[str, Any], title: str, root: Path, source: str = "") -> Graph:
    """The graph of a flow's stored ``data``. Raises FlowError with all problems of its nodes and wires."""
    problems: list[Problem] = []
    nodes = data.get("nodes")
    placed = [_placed(node, i, problems) for i, node in enumerate(nodes if isinstance(nodes, list) else [])]
    names = dict(_named([node for node in placed if node], problems))
    wires: dict[int, dict[str, Wire]] = {node.index: {} for node in placed if node}
    connections = data.get("connections")
    for connection in connections if isinstance(connections, list) else []:
        _connect(connection, placed, names, wires, problems)
    if problems:
        raise FlowError(problems)
    past = {names[node.index]: (node.node, wires[node.index]) for node in placed if node and node.bypassed}
    kept = [node for node in placed if node and not node.bypassed]
    steps = (Step(names[n.index], n.node, n.given, _past(wires[n.index], past), n.index, n.name, n.place) for n in kept)
    return Graph(title, tuple(steps), root, source, Launch.of_data(data.get(KEY)))


def _placed(data: Any, index: int, problems: list[Problem]) -> _Placed | None:
    data = data if isinstance(data, dict) else {}
    kind = data.get("identifier")
    node = NODES.get(kind) if isinstance(kind, str) else None
    if node is None:
        near = suggestion(str(kind), list(NODES))
        remedy = "Remove it, or install the version that has it; `ryven-llm nodes` lists the nodes that there are."
        problems.append(Problem(f"unknown node {shown(kind)}.{near} {remedy}", f"node {index + 1}"))
        return None
    name, given = stored(data.get("additional data"))
    place = (pixels(data.get("pos x")), pixels(data.get("pos y")))
    return _Placed(node, name, given, index, place, is_bypassed(data.get("additional data")))


def pixels(value: Any) -> float:
    """A position on the canvas, 0 for an invalid one."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < LARGEST_CANVAS else 0.0  # False for not-a-number


def _named(placed: list[_Placed], problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """A unique name for each node: explicit names first, then the others in order."""
    names = Names()
    explicit: dict[str, str] = {}
    for node in sorted(placed, key=lambda node: not node.name):
        label = f"{node.node.title} {shown(node.name)}"
        if node.name and node.name in explicit:
            problems.append(
                Problem(f"has the same name as a {explicit[node.name]}; rename one of them.", label, "name")
            )
        explicit.setdefault(node.name, node.node.title)
        own = identifier(node.name, node.node.stem) if node.name else node.node.own_name(node.given)
        yield node.index, names.claim(own)


def _connect(
    data: Any,
    placed: list[_Placed | None],
    names: Mapping[int, str],
    wires: dict[int, dict[str, Wire]],
    problems: list[Problem],
) -> None:
    data = data if isinstance(data, dict) else {}
    source, target = (_pick(placed, data.get(key)) for key in ("parent node index", "connected node"))
    if source is None or target is None:
        return  # a wire of an unknown node, which is already reported, or of no node at all
    out = _pick(source.node.out_ports, data.get("output port index"))
    inp = _pick(target.node.in_ports, data.get("connected input port index"))
    label = f"{target.node.title} {names[target.index]!r}"
    if out is None or inp is None:
        problems.append(Problem("a wire leads to a port that does not exist; draw it again.", label))
    elif out.kind != inp.kind:
        whence = f"{source.node.title} {names[source.index]!r}"
        message = f"takes a {inp.kind}, but is connected to the {out.kind} of {whence}; connect it to a {inp.kind}."
        problems.append(Problem(message, label, inp.label, names[target.index]))
    else:
        wires[target.index][inp.name] = Wire(names[source.index], out.name)


def _past(wires: Mapping[str, Wire], past: Mapping[str, tuple[type[LLMNode], Mapping[str, Wire]]]) -> dict[str, Wire]:
    """``wires``, those from nodes that are bypassed from what comes in there: the first input of the same kind.

    Where nothing of that kind comes in, nothing is connected.
    """
    found: dict[str, Wire] = {}
    for port, wire in wires.items():
        source: Wire | None = wire
        for _ in range(len(past) + 1):  # a circle of such nodes ends
            if source is None or source.step not in past:
                break
            node, own = past[source.step]
            kind = next(out.kind for out in node.out_ports if out.name == source.port)
            source = next((own[one.name] for one in node.in_ports if one.kind == kind and one.name in own), None)
        if source is not None and source.step not in past:
            found[port] = source
    return found


def _pick(items: Any, index: Any) -> Any:
    is_index = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(items)
    return items[index] if is_index else None
