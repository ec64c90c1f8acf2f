"""Launch settings that this machine cannot follow."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.program import Program


def launch_problems(program: Program) -> Iterator[Problem]:
    """What a run here cannot do: several machines, or weights that are spread over processes without GPUs."""
    import torch

    for step in program.steps:
        launch = program.graph.launch.of(step.name)
        if not program.cells[step.name].config or launch.total == 1:
            continue
        if launch["machines"] > 1:
            remedy = "write a job with `export --launch slurm`, or run with --launch machines=1."
            yield step.problem(
                f"is to be launched on {launch['machines']} machines, and a run has one; {remedy}", "launch"
            )
        elif launch.strategy not in ("one", "ddp") and not torch.accelerator.is_available():
            remedy = "use --launch strategy=ddp, or a machine with GPUs."
            yield step.problem(
                f"has the strategy {launch.strategy!r}, which needs GPUs; here is none: {remedy}", "launch"
            )
