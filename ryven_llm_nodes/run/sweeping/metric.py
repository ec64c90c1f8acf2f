"""What a sweep optimizes: ``NODE.metric``, a measure of an evaluation, or the last value that a stage has logged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ryven_llm_nodes.errors import UsageError, suggestion
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.settings import find_step
from ryven_llm_nodes.run.comparing.origins import read_report
from ryven_llm_nodes.run.records.record import read_lines
from ryven_llm_nodes.run.sweeping.study import is_number


@dataclass(frozen=True)
class Metric:
    """A metric called ``name`` of the stage ``step``."""

    step: Step
    name: str

    def __str__(self) -> str:
        return f"{self.step.name}.{self.name}"

    def value(self, output_dir: Path, record: Path | None) -> float:
        """Its value after a run. Raises UsageError where there is none."""
        if self.step.node.leaves == "report":
            measures = read_report(output_dir / self.step.name).get("model")
            found = {k: v["value"] for k, v in (measures or {}).items() if isinstance(v, dict) and "value" in v}
        else:
            found = {}
            for line in read_lines(record / "metrics" / f"{self.step.name}.jsonl") if record else ():
                found |= {name: value for name, value in line.items() if name != "step"}
        if self.name not in found:
            raise self._unknown(found)
        if not is_number(found[self.name]):
            raise UsageError(f"{self}: its value is {found[self.name]!r}, which is not a number.")
        return float(found[self.name])

    def _unknown(self, found: Iterable[str]) -> UsageError:
        there = sorted(found)
        listed = f" It has {', '.join(there)}." if there else ""
        return UsageError(f"{self.step.label} has no metric {self.name!r}.{suggestion(self.name, there)}{listed}")


def metric_of(program: Program, text: str) -> Metric:
    """The metric that ``text`` names. Raises UsageError where it cannot be one."""
    name, dot, metric = text.partition(".")
    if not dot or not metric:
        raise UsageError(f"--metric {text}: write NODE.metric, such as evaluation.loss or dpo.rewards/margins.")
    step = find_step(program.graph, name)
    if not step.node.is_stage:
        stages = ", ".join(s.name for s in program.steps if s.node.is_stage)
        raise UsageError(f"--metric {text}: {step.label} measures nothing; name an evaluation or a trainer: {stages}.")
    found = Metric(step, metric)
    known = step.node.measures(program.context(step))
    if known is not None and metric not in known:
        raise found._unknown(known)
    return found
