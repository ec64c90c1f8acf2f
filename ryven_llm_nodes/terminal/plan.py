"""Shows what a flow would take on a cluster: for each stage its options, and the one that is chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.quantities import duration, size
from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.planning.hardware import Cluster
from ryven_llm_nodes.run.planning.plan import Option, StagePlan, plan
from ryven_llm_nodes.terminal.display import quiet_libraries

COLUMNS: Final = (*("stage", "strategy", "memory/GPU", "sent/step", "step", "tokens/s/GPU", "steps", "time", "USD"),)
REMEDIES: Final = "use more GPUs, LoRA, shorter rows, a smaller batch, or gradient_checkpointing."


def show_plan(program: Program, cluster: Cluster, price: float | None, as_json: bool, console: Console) -> None:
    """The plan of every stage. Raises FlowError for rows or models that cannot be read."""
    quiet_libraries()
    with opened(program) as there:
        stages = list(plan(there, cluster))
    hourly = cluster.count * (cluster.gpu.price if price is None else price)
    if as_json:
        console.print_json(json.dumps(_data(stages, cluster, hourly)))
    else:
        _show(stages, cluster, hourly, console)


def _cost(stage: StagePlan, hourly: float) -> float:
    return stage.seconds / 3600 * hourly


def _show(stages: Sequence[StagePlan], cluster: Cluster, hourly: float, console: Console) -> None:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for stage in stages:
        for option in stage.options:
            style = "bold" if option is stage.chosen else "" if option.fits else "yellow"
            name = stage.stage if option is stage.options[0] else ""
            table.add_row(name, *_cells(stage, option, hourly), style=style)
    console.print(table)
    gpu = cluster.gpu
    total, cost = sum(stage.seconds for stage in stages), sum(_cost(stage, hourly) for stage in stages)
    lines = [f"{cluster.count} x {gpu.name}, {size(gpu.memory)} each: {duration(total)}, about {cost:,.2f} USD"]
    for stage in stages:
        if stage.chosen is None:
            lines.append(f"{stage.stage}: no strategy fits; {REMEDIES}")
    largest = max((stage.main_memory for stage in stages), default=0)
    lines.append(f"Each machine needs {size(largest)} of main memory while its processes load the models.")
    console.print("\n".join(lines), highlight=False, markup=False)


def _cells(stage: StagePlan, option: Option, hourly: float) -> tuple[str, ...]:
    rate = stage.tokens / option.seconds
    seconds = stage.steps * option.seconds
    name = option.strategy if option.fits else f"{option.strategy}: no room"
    time = (f"{option.seconds:.3g} s", f"{rate:,.0f}", str(stage.steps), duration(seconds))
    return name, size(option.memory), size(option.traffic), *time, f"{seconds / 3600 * hourly:,.2f}"


def _data(stages: Sequence[StagePlan], cluster: Cluster, hourly: float) -> dict[str, Any]:
    return {
        "gpu": cluster.gpu.name,
        "count": cluster.count,
        "usd_per_hour": hourly,
        "stages": [
            {
                "stage": stage.stage,
                "chosen": stage.chosen.strategy if stage.chosen else None,
                "steps": stage.steps,
                "seconds": stage.seconds,
                "usd": _cost(stage, hourly),
                "options": [
                    {
                        "strategy": option.strategy,
                        "fits": option.fits,
                        "memory": option.memory,
                        "parts": dict(option.parts),
                        "traffic": option.traffic,
                        "seconds_per_step": option.seconds,
                        "tokens_per_second": stage.tokens / option.seconds,
                    }
                    for option in stage.options
                ],
            }
            for stage in stages
        ],
    }
