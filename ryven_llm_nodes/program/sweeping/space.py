"""What a sweep varies: ``NODE.PARAM=A,B,C`` for a list of values, ``NODE.PARAM=LOW..HIGH[:log]`` for a range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.errors import UsageError, shown, suggestion
from ryven_llm_nodes.program.graph import Graph
from ryven_llm_nodes.program.settings import apply_settings, find_step

NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE: Final = re.compile(rf"({NUMBER})\.\.({NUMBER})(:\w*)?")
DIGITS: Final = 4
"""Significant digits of a value that is drawn from a range."""

Values: TypeAlias = Mapping[str, JSON]
"""The values of a trial, by NODE.PARAM."""


@dataclass(frozen=True)
class Choices:
    """Some values to try."""

    values: tuple[JSON, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, evenly or, ``is_log``, evenly in their logarithm; integers if both are."""

    low: float
    high: float
    is_log: bool = False

    def rounded(self, value: float) -> float:
        """``value`` with few digits, inside the range."""
        if isinstance(self.low, int):
            return int(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


Axis: TypeAlias = Choices | Range


@dataclass(frozen=True)
class Space:
    """A flow, and what is varied in it, by NODE.PARAM."""

    graph: Graph
    axes: Mapping[str, Axis]

    @property
    def size(self) -> int | None:
        """The number of combinations, if there are only lists."""
        product = 1
        for axis in self.axes.values():
            if isinstance(axis, Range):
                return None
            product *= len(axis.values)
        return product

    @property
    def first(self) -> Values:
        """The first value of everything: they stand for all of them before any is chosen."""
        return {name: axis.values[0] if isinstance(axis, Choices) else axis.low for name, axis in self.axes.items()}

    def with_values(self, values: Values) -> Graph:
        """The flow with the values of a trial."""
        graph = self.graph
        for name, value in values.items():
            step, _, parameter = name.partition(".")
            given = {**graph.by_name[step].given, parameter: value}
            graph = replace(graph, steps=tuple(replace(s, given=given) if s.name == step else s for s in graph.steps))
        return graph


def space_of(graph: Graph, settings: Iterable[str]) -> Space:
    """What ``settings`` vary; those with one value are set in all trials. Raises UsageError."""
    axes: dict[str, Axis] = {}
    for setting in settings:
        target, equals, text = setting.partition("=")
        name = target.strip()
        step, dot, parameter = name.partition(".")
        if not equals or not dot:
            example = "dpo.beta=0.05,0.1,0.3 or dpo.learning_rate=1e-6..1e-4:log"
            raise UsageError(f"{shown(setting)}: write NODE.PARAM=VALUES, such as {example}.")
        axis = _axis(name, text.strip(), _parameter(graph, step, parameter))
        if axis is None:
            graph = apply_settings(graph, [setting])
        elif name in axes:
            raise UsageError(f"{name} is given twice; give all values in one.")
        else:
            axes[name] = axis
    if not axes:
        raise UsageError("nothing to vary: give NODE.PARAM several values (A,B,C) or a range (LOW..HIGH).")
    return Space(graph, axes)


def _parameter(graph: Graph, step: str, parameter: str) -> Parameter:
    known = find_step(graph, step).node.all_parameters()
    if parameter not in known:
        label = graph.by_name[step].label
        raise UsageError(f"{label} has no parameter {parameter!r}.{suggestion(parameter, list(known))}")
    return known[parameter]


def _axis(name: str, text: str, parameter: Parameter) -> Axis | None:
    """The values in ``text``; None where it is one value."""
    if found := RANGE.fullmatch(text):
        return _range(name, parameter, *found.groups())
    values = tuple(parameter.parse(part.strip()) for part in text.split(","))
    if len(values) == 1 or parameter.widget == "code":
        return None
    for value in values:
        _refuse(name, parameter, value)
    if len(set(map(repr, values))) < len(values):
        raise UsageError(f"{name}: a value is given twice in {shown(text)}.")
    return Choices(values)


def _range(name: str, parameter: Parameter, first: str, last: str, scale: str | None) -> Range:
    low, high = (parameter.parse(text) for text in (first, last))
    for end in (low, high):
        _refuse(name, parameter, end)
    if not all(isinstance(end, int | float) for end in (low, high)):
        raise UsageError(f"{name}: {first}..{last} is a range, but the parameter is not a number.")
    if scale not in (None, ":log"):
        raise UsageError(f"{name}: after a range, only :log can stand, got {shown(scale)}.")
    if float not in parameter.types:
        ends: Iterator[Any] = map(int, (low, high))
    else:
        ends = map(float, (low, high))
    low, high = ends
    if low >= high:
        raise UsageError(f"{name}: the range {first}..{last} must go from a smaller to a larger number.")
    if scale and low <= 0:
        raise UsageError(f"{name}: a logarithmic range must start above 0, got {first}.")
    return Range(low, high, bool(scale))


def _refuse(name: str, parameter: Parameter, value: JSON) -> None:
    if wrong := parameter.problem(value):
        raise UsageError(f"{name}: {wrong}")
    if not isinstance(value, bool | int | float | str | None):
        raise UsageError(f"{name}: a sweep takes numbers, words, true and false, got {shown(value)}.")
