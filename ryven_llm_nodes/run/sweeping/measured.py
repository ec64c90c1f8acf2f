"""The value of a metric after a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.sweeping.metric import Metric
from ryven_llm_nodes.run.comparing.origins import read_report
from ryven_llm_nodes.run.records.record import read_lines
from ryven_llm_nodes.run.sweeping.study import is_number


def measured(metric: Metric, output_dir: Path, record: Path | None) -> float:
    """What ``metric`` is after the run with this record. Raises UsageError where there is no number."""
    found = _reported(metric, output_dir) if metric.step.node.leaves == "report" else _logged(metric, record)
    if metric.name not in found:
        raise metric.unknown(found)
    if not is_number(found[metric.name]):
        raise UsageError(f"{metric}: its value is {found[metric.name]!r}, which is not a number.")
    return float(found[metric.name])


def _reported(metric: Metric, output_dir: Path) -> dict[str, Any]:
    measures = read_report(output_dir / metric.step.name).get("model") or {}
    return {name: of["value"] for name, of in measures.items() if isinstance(of, dict) and "value" in of}


def _logged(metric: Metric, record: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in read_lines(record / "metrics" / f"{metric.step.name}.jsonl") if record else ():
        found |= {name: value for name, value in line.items() if name != "step"}
    return found
