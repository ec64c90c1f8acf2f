"""What differs between two runs, and their results."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ryven_llm_nodes.errors import FlowError, shown
from ryven_llm_nodes.program import Graph, Step
from ryven_llm_nodes.run.records.history import PastRun, Points

NOTHING: Final = "-"
WIDEST: Final = 60


@dataclass(frozen=True)
class Difference:
    """One difference: where it is, and the value in each run. ``details`` are the lines of a longer text."""

    where: str
    first: str
    second: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contrast:
    """One difference between several runs: where it is, and the value in each run.

    ``details`` are the lines in which a longer text differs from that of the first run, by the place of the run.
    """

    where: str
    values: tuple[str, ...]
    details: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class Curves:
    """One metric of one stage in both runs; a run without it has no points."""

    stage: str
    metric: str
    first: Points
    second: Points


def differences(first: PastRun, second: PastRun) -> list[Difference]:
    """All differences between two runs: settings, nodes, wires, data, versions, machine."""
    return [
        *flow_differences(_graph(first), _graph(second)),
        *_changes("ended", _early(first), _early(second)),
        *_changes("data", data_of(first), data_of(second)),
        *_changes("version", first.versions, second.versions),
        *_changes("machine", first.machine, second.machine),
    ]


def contrasts(runs: Sequence[PastRun]) -> list[Contrast]:
    """All differences between several runs; each of the others is compared with the first."""
    found: dict[str, dict[int, Difference]] = {}
    for place, run in enumerate(runs[1:], 1):
        for one in differences(runs[0], run):
            found.setdefault(one.where, {})[place] = one
    return [_contrast(where, others, len(runs)) for where, others in found.items()]


def _contrast(where: str, others: Mapping[int, Difference], count: int) -> Contrast:
    """``others`` are the runs that differ from the first, by their places."""
    texts = {place: one.details for place, one in others.items() if one.details}
    if texts and count > 2:
        first, values = "a text", {place: f"{one.first}, {one.second}" for place, one in others.items()}
    else:
        first, values = next(iter(others.values())).first, {place: one.second for place, one in others.items()}
    return Contrast(where, (first, *(values.get(place, first) for place in range(1, count))), texts)


def _graph(run: PastRun) -> Graph | None:
    try:
        return run.graph()
    except FlowError:
        return None  # a node of another version, or a damaged record: the rest can be compared


def flow_differences(first: Graph | None, second: Graph | None) -> Iterator[Difference]:
    """In which nodes, parameters and wires two flows differ; nodes are matched by name."""
    if first is None or second is None:
        unread = " and ".join(name for name, graph in (("first", first), ("second", second)) if graph is None)
        yield Difference("flow", *("cannot be read" if graph is None else "" for graph in (first, second)), (unread,))
        return
    for name in dict.fromkeys([*first.by_name, *second.by_name]):
        yield from _step_differences(name, first.by_name.get(name), second.by_name.get(name))


def _step_differences(name: str, first: Step | None, second: Step | None) -> Iterator[Difference]:
    if first is None or second is None or first.node is not second.node:
        yield Difference(name, *(NOTHING if step is None else step.label for step in (first, second)))
        return
    defaults = {parameter.name: parameter.default for parameter in first.node.all_parameters().values()}
    for parameter in dict.fromkeys([*first.given, *second.given]):
        default = defaults.get(parameter)
        before, after = (step.given.get(parameter, default) for step in (first, second))
        if before != after:
            yield _value_difference(f"{name}.{parameter}", before, after)
    wires = ({port: f"{w.step}.{w.port}" for port, w in step.wires.items()} for step in (first, second))
    yield from _changes(f"{name} <-", *wires)


def _value_difference(where: str, first: Any, second: Any) -> Difference:
    if isinstance(first, str) and isinstance(second, str) and "\n" in first + second:
        lines = list(difflib.unified_diff(first.splitlines(), second.splitlines(), lineterm="", n=2))[2:]
        removed, added = (sum(line.startswith(sign) for line in lines) for sign in "-+")
        return Difference(where, f"lines: {removed}", f"lines: {added}", tuple(lines))
    return Difference(where, shown(first, WIDEST), shown(second, WIDEST))


def _changes(where: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys([*first, *second]):
        before, after = (str(values.get(name, NOTHING)) for values in (first, second))
        if before != after:
            yield Difference(f"{where} {name}", before, after)


def _early(run: PastRun) -> dict[str, str]:
    """The stages that were not fully trained."""
    states = {stage: run.state(stage) for stage in run.stages}
    return {stage: state for stage, state in states.items() if " of " in state}


def data_of(run: PastRun) -> dict[str, str]:
    """A line for everything that a run read: rows, and prefixes of its files' sha256."""
    found: dict[str, str] = {}
    for source, about in run.data.items():
        if isinstance(about, dict):
            found |= {f"{source} {name}": f"sha256 {str(digest)[:12]}" for name, digest in _files(about)}
            found |= {f"{source} {what}": str(about[what]) for what in ("rows", "columns") if what in about}
    return found


def _files(about: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    files = about.get("files")
    return iter(files.items() if isinstance(files, dict) else ())


def curves(first: PastRun, second: PastRun, wanted: tuple[str, ...]) -> Iterator[Curves]:
    """The metrics called ``wanted``, stage by stage, of two runs side by side."""
    for stage in dict.fromkeys([*first.stages, *second.stages]):
        one, other = first.metrics(stage), second.metrics(stage)
        for metric in wanted:
            if metric in one or metric in other:
                yield Curves(stage, metric, one.get(metric, []), other.get(metric, []))
