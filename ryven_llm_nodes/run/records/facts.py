"""What runs are sorted and filtered by: the settings of their nodes, and the last value of every metric."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import FlowError, shown
from ryven_llm_nodes.program import Step
from ryven_llm_nodes.run.records.history import PastRun

TAIL: Final = 256 * 2**10
"""Bytes at the end of a file of metrics in which the last values are looked for."""
WIDEST: Final = 40


@dataclass(frozen=True)
class Facts:
    """The nodes of a run by name, and its final metrics as ``node.metric``."""

    steps: Mapping[str, Step] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def setting(self, key: str) -> Any:
        """The value of the parameter ``node.parameter``, also where it is the default; None without such a node."""
        node, _, parameter = key.partition(".")
        step = self.steps.get(node)
        return None if step is None else step.given.get(parameter, _defaults(step.node).get(parameter))

    def value(self, key: str) -> Any:
        """The setting or the metric called ``key``; the learning rate is logged, too, but was chosen."""
        return self.setting(key) if self.is_setting(key) else self.metrics.get(key)

    def is_setting(self, key: str) -> bool:
        """Whether ``key`` is a parameter of a node."""
        node, _, parameter = key.partition(".")
        return node in self.steps and parameter in _defaults(self.steps[node].node)

    def given(self) -> set[str]:
        """The settings that are not left at their defaults."""
        return {f"{name}.{parameter}" for name, step in self.steps.items() for parameter in step.given}


@cache
def _defaults(node: type[LLMNode]) -> Mapping[str, Any]:
    return {parameter.name: parameter.default for parameter in node.all_parameters().values()}


def facts_of(run: PastRun) -> Facts:
    """Reads the flow of ``run`` and the ends of its curves; what cannot be read is left out."""
    steps: dict[str, Step] = {}
    with suppress(FlowError):  # a node of another version: the metrics are there nevertheless
        steps = dict(run.graph().by_name)
    metrics = {f"{stage}.{name}": value for stage in run.stages for name, value in _last_values(run, stage).items()}
    return Facts(steps, metrics)


def _last_values(run: PastRun, stage: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in reversed(last_lines(run.folder / "metrics" / f"{stage}.jsonl")):
        with suppress(ValueError):  # a line that a crash has cut off
            values = json.loads(line)
            for name, value in values.items() if isinstance(values, dict) else ():
                if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool):
                    found.setdefault(name, float(value))
    return found


def last_lines(path: Path, size: int = TAIL) -> list[bytes]:
    """The lines in the last ``size`` bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            begin = max(file.seek(0, 2) - size, 0)
            file.seek(begin)
            lines = file.read().splitlines()
    except OSError:
        return []
    return lines[1:] if begin else lines  # the first one is not complete


def differing(runs: Iterable[Facts]) -> list[str]:
    """The settings that have several values in ``runs``, in the order of nodes; those without a node have none."""
    known = list(runs)
    values: dict[str, set[str]] = {}
    for key in {key for facts in known for key in facts.given()}:
        values[key] = {repr(facts.setting(key)) for facts in known if key.partition(".")[0] in facts.steps}
    order = {name: place for place, name in enumerate(name for facts in known for name in facts.steps)}
    several = [key for key, found in values.items() if len(found) > 1]
    return sorted(several, key=lambda key: (order[key.partition(".")[0]], key))


def final_metrics(runs: Iterable[Facts]) -> list[str]:
    """All final metrics of ``runs`` but those that settings are called."""
    return sorted({key for facts in runs for key in facts.metrics if not facts.is_setting(key)})


def in_a_cell(value: Any) -> str:
    """A value in few characters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else value if isinstance(value, str) and "\n" not in value else shown(value, WIDEST)
