"""Follows the metrics of the stages of a run, and tells what the rules say about them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.events import Event, Metrics, Warned
from ryven_llm_nodes.run.health.rules import RULES, complaints


class Health:
    """Each complaint is told once per stage; ``label`` names a stage to the user."""

    def __init__(self, label: Callable[[str], str]) -> None:
        self._label = label
        self._seen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._told: dict[str, set[str]] = defaultdict(set)

    @classmethod
    def of(cls, program: Program) -> Health:
        """The health of the stages of ``program``."""
        return cls(lambda step: program.graph.by_name[step].label)

    def take(self, event: Event) -> Iterator[Warned]:
        """What is to be told after ``event``."""
        if not isinstance(event, Metrics):
            return
        series = self._seen[event.step]
        for name, value in event.values.items():
            if value is not None and math.isfinite(value):
                series[name].append(value)
        told = self._told[event.step]
        for rule, text in complaints(series, [rule for rule in RULES if rule.name not in told]):
            told.add(rule.name)
            yield Warned(event.step, "", f"{self._label(event.step)}: step {event.done}: {text}", rule.weight)


def of_curves(curves: Mapping[str, Iterable[tuple[int, float]]]) -> list[str]:
    """What the ``curves`` of a stage, (step, value) by metric, say in the end."""
    return [text for _, text in complaints({name: [value for _, value in points] for name, points in curves.items()})]
