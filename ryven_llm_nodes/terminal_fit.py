"""Shows how much memory each stage takes, part by part, next to that of the device."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ryven_llm_nodes.errors import StageError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.quantities import size
from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.fit.device import Device, device
from ryven_llm_nodes.run.fit.estimate import Estimate, estimates
from ryven_llm_nodes.run.fit.measure import measured
from ryven_llm_nodes.run.fit.workload import loaded_config
from ryven_llm_nodes.terminal import quiet_libraries


@dataclass(frozen=True)
class Row:
    """A stage, with its estimate, and the peak that was measured (text: why there is none)."""

    step: Step
    estimate: Estimate
    measured: int | str | None = None


def show_fit(program: Program, measure: bool, as_json: bool, console: Console) -> None:
    """The estimate of every stage; with ``measure`` next to the peak of two real steps.

    Raises FlowError for rows or models that cannot be read, and StageError if a stage cannot be measured.
    """
    quiet_libraries()
    with opened(program) as there:
        found = list(estimates(there, lambda model: loaded_config(model, program.graph.root)))
    rows = [Row(step, made, measured(program.graph, step) if measure else None) for step, made in found]
    if as_json:
        console.print_json(json.dumps(_data(rows, device())))
    else:
        _show(rows, device(), console)
    for row in rows:
        if isinstance(row.measured, str):
            raise StageError(row.step.problem(f"cannot be measured: {row.measured}"))


def _show(rows: Sequence[Row], here: Device, console: Console) -> None:
    parts = list(dict.fromkeys(part for row in rows for part, bytes_ in row.estimate.parts.items() if bytes_))
    is_measured = any(row.measured is not None for row in rows)
    table = Table("stage", *parts, "peak", *(("measured",) if is_measured else ()), box=None, pad_edge=False)
    for row in rows:
        sizes = [size(row.estimate.parts[part]) if row.estimate.parts.get(part) else "" for part in parts]
        last = [_measured(row)] if is_measured else []
        style = "yellow" if row.estimate.peak > here.size else ""
        table.add_row(row.step.name, *sizes, size(row.estimate.peak), *last, style=style)
    console.print(table)
    console.print(f"{here.name}: {size(here.size)}", highlight=False, markup=False)


def _measured(row: Row) -> str:
    return size(row.measured) if isinstance(row.measured, int) else "-"


def _data(rows: Sequence[Row], here: Device) -> dict[str, Any]:
    stages = [
        {
            "stage": row.step.name,
            "parts": dict(row.estimate.parts),
            "peak": row.estimate.peak,
            "measured": row.measured,
            "fits": row.estimate.peak <= here.size,
        }
        for row in rows
    ]
    return {"device": here.name, "memory": here.size, "stages": stages}
