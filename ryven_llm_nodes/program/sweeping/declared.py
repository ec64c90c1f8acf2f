"""The sweeps that nodes of a flow describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext
from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
from ryven_llm_nodes.errors import Problem, UsageError
from ryven_llm_nodes.program.graph import Graph, Step
from ryven_llm_nodes.program.program import Program
from ryven_llm_nodes.program.settings import find_step
from ryven_llm_nodes.program.sweeping.metric import live_metric_of, metric_of
from ryven_llm_nodes.program.sweeping.space import Space, space_of


@dataclass(frozen=True)
class Declared:
    """The sweep that a step describes, with its metrics as ``NODE.metric``."""

    step: Step
    settings: SweepSettings


def describes_sweeps(node: type[LLMNode]) -> bool:
    """Whether nodes of this class describe sweeps."""
    return node.sweep_settings(NodeContext(node, node.stem, {}, {}, Path())) is not None


def all_declared(graph: Graph) -> Iterator[Declared]:
    """The sweeps of a flow, in the order of its nodes; one without values is none yet."""
    for step in graph.steps:
        settings = step.node.sweep_settings(graph.context(step, {}))
        if settings is not None and (settings.vary or settings.metric):
            metrics = {name: _full(graph, step, settings, getattr(settings, name)) for name in ("metric", "prune")}
            yield Declared(step, replace(settings, **metrics))


def declared(graph: Graph, name: str | None = None) -> Declared:
    """The sweep that the node called ``name`` describes, or the only one. Raises UsageError."""
    found = {one.step.name: one for one in all_declared(graph)}
    if name is not None:
        if name not in found:
            raise UsageError(f"{find_step(graph, name).label} describes no sweep: it says nothing to vary.")
        return found[name]
    if len(found) != 1:
        there = f"has several sweeps: {', '.join(found)}; name one" if found else "describes no sweep; add a Sweep node"
        raise UsageError(f"the flow {there}, or say what to vary and to optimize.")
    return next(iter(found.values()))


def _full(graph: Graph, step: Step, settings: SweepSettings, text: str) -> str:
    """``text`` as ``NODE.metric``: a measure alone is one of the evaluation that is wired."""
    wire = step.wires.get(settings.measured)
    if not text or wire is None or text.partition(".")[0] in graph.by_name:
        return text
    return f"{wire.step}.{text}"


def sweep_problems(program: Program) -> Iterator[Problem]:
    """What is wrong with the sweeps of ``program``, as far as that can be told from their text."""
    for one in all_declared(program.graph):
        yield from _problems(program, one)


def _problems(program: Program, one: Declared) -> Iterator[Problem]:
    field = "vary"
    try:
        space = space_of(program.graph, one.settings.vary)
        field = "trials"
        number_of_trials(space, one.settings.trials)
        field = "metric"
        metric = metric_of(program, one.settings.metric, space)
        field = "prune"
        if one.settings.prune:
            live_metric_of(program, one.settings.prune, metric)
    except UsageError as error:
        yield one.step.problem(str(error), field)


def number_of_trials(space: Space, wanted: int | None) -> int:
    """How many trials there will be. Raises UsageError where that is not said."""
    count = wanted or space.size
    if count is None:
        raise UsageError("say how many trials to run: a range has no end of values.")
    return min(count, space.size or count)
