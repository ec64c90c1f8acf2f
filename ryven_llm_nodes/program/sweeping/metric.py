"""What a sweep optimizes: ``NODE.metric``, a measure of an evaluation, or the last value that a stage has logged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ryven_llm_nodes.errors import UsageError, shown, suggestion
from ryven_llm_nodes.program.graph import Step
from ryven_llm_nodes.program.program import Program
from ryven_llm_nodes.program.settings import find_step
from ryven_llm_nodes.program.sweeping.space import Space


@dataclass(frozen=True)
class Metric:
    """A metric called ``name`` of the stage ``step``."""

    step: Step
    name: str

    def __str__(self) -> str:
        return f"{self.step.name}.{self.name}"

    def unknown(self, known: Iterable[str]) -> UsageError:
        """That the stage has no such metric, but those that are ``known``."""
        there = sorted(known)
        listed = f" It has {', '.join(there)}." if there else ""
        return UsageError(f"{self.step.label} has no metric {shown(self.name)}.{suggestion(self.name, there)}{listed}")


def metric_of(program: Program, text: str, space: Space) -> Metric:
    """The metric that ``text`` names, which what is varied changes. Raises UsageError where it cannot be one."""
    found = _named(program, text)
    needed = program.graph.upstream([found.step.name]).by_name
    for name in space.axes:
        if name.partition(".")[0] not in needed:
            raise UsageError(f"{name} is varied, but {shown(str(found))} does not depend on it.")
    return found


def live_metric_of(program: Program, text: str, metric: Metric) -> Metric:
    """The metric that ``text`` names, logged by a trainer before ``metric`` is known. Raises UsageError for another."""
    found = _named(program, text)
    needed = program.graph.upstream([metric.step.name]).by_name
    if not program.cells[found.step.name].config or found.step.name not in needed:
        raise UsageError(f"{shown(text)} can end no trial early: name a metric of a trainer that {metric} depends on.")
    return found


def _named(program: Program, text: str) -> Metric:
    name, dot, metric = text.partition(".")
    if not dot or not metric:
        raise UsageError(f"{shown(text)} is no metric: write NODE.metric, such as evaluation.loss or dpo.loss.")
    step = find_step(program.graph, name)
    if not step.node.is_stage:
        stages = ", ".join(s.name for s in program.steps if s.node.is_stage)
        raise UsageError(f"{step.label} measures nothing; name an evaluation or a trainer: {stages}.")
    found = Metric(step, metric)
    known = step.node.measures(program.context(step))
    if known is not None and metric not in known:
        raise found.unknown(known)
    return found
