"""Launch settings that this machine cannot follow, and servers that do not answer."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from shlex import quote

from ryven_llm_nodes.catalogue.serving import Server
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.launch.serving import command, location_of


def launch_problems(program: Program) -> Iterator[Problem]:
    """What a run here cannot do: several machines, or weights that are spread over processes without GPUs.

    TRL would look for a server when the stage begins, and wait for it for minutes. One on another machine is not asked:
    a check sends nothing to an address that stands in a flow.
    """
    import torch

    for step in program.steps:
        server = step.node.server(program.context(step)) if program.cells[step.name].config else None
        if server and server.is_here and not _answers(server):
            yield step.problem(_silent(program, step, server), "vllm_mode")
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


def _answers(server: Server) -> bool:
    """Whether a vLLM server is ready."""
    try:
        with urllib.request.urlopen(f"{server.address.rstrip('/')}/health", timeout=2) as answer:
            return answer.status == 200
    except (OSError, ValueError):
        return False


def _silent(program: Program, step: Step, server: Server) -> str:
    """What to do about a server that does not answer."""
    model = quote(location_of(program, program.graph.by_name[step.wires["model"].step]))
    return (
        f"is to generate with the vLLM server at {server.address}, which does not answer. Start it with "
        f"`{command(server, model)}`; a job of `export --launch slurm` starts it itself."
    )
