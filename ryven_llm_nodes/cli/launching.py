"""The commands that take a flow to other machines: `ryven-llm export`, `submit` and `plan`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ryven_llm_nodes.cli.options import (
    FlowFile,
    FlowTitle,
    Launching,
    Processes,
    Settings,
    Target,
    Trust,
    allow,
    plain_errors,
    program_of,
    say_written,
)
from ryven_llm_nodes.errors import UsageError

if TYPE_CHECKING:
    from ryven_llm_nodes.program import Program


def export(
    flow: FlowFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: the terminal.")] = None,
    title: FlowTitle = None,
    to: Target = None,
    settings: Settings = None,
    processes: Processes = 1,
    launching: Annotated[
        list[str] | None,
        typer.Option(
            "--launch",
            metavar="WHERE|NAME=VALUE",
            help="Also write what launches the script: accelerate, slurm or skypilot. Or override a launch setting, "
            "such as strategy=fsdp2 or sft.processes=8; may be repeated.",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N,N,...", help="With --launch: one job for each seed.")
    ] = "",
    gpu: Annotated[str, typer.Option("--gpu", help="With --launch skypilot: the GPUs to ask for.")] = "H100",
    lean: Annotated[bool, typer.Option("--lean", help="Leave out crash safety and resuming.")] = False,
) -> None:
    """Write the flow as one plain Python script that does not need this package."""
    from ryven_llm_nodes.program.launch.files import launch_files

    with plain_errors():
        words = [word for text in launching or [] for word in text.split(",")]
        targets = [word for word in words if "=" not in word]
        program = program_of(flow, title, settings, to, processes, [word for word in words if "=" in word])
        if output is None:
            if targets:
                raise UsageError(f"--launch {targets[0]} writes files next to the script; give --output FILE.py.")
            sys.stdout.write(program.script_for(program.graph.root, lean).text)
            return
        if output.resolve() == flow.resolve():
            raise UsageError(f"{output} is the flow itself; choose another file.")
        files = {output: program.script_for(output.absolute().parent, lean).text}
        for target in targets:
            files |= launch_files(program, target, output, _numbers(seeds), gpu)
        _write(files)


def _write(files: Mapping[Path, str]) -> None:
    from ryven_llm_nodes.system.files import write_whole

    for file, text in files.items():
        write_whole(file, text)
        say_written(file)


def _numbers(text: str) -> list[int]:
    """``1,2,3`` as numbers. Raises UsageError."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"--seeds {text}: give whole numbers with commas, such as 1,2,3.") from error


def submit(
    flow: FlowFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The script to write; what the job needs is written next to it.")
    ],
    where: Annotated[str, typer.Option("--to", metavar="WHERE", help="slurm, or skypilot.")] = "slurm",
    title: FlowTitle = None,
    settings: Settings = None,
    launching: Launching = None,
    seeds: Annotated[str, typer.Option("--seeds", metavar="N,N,...", help="One job for each seed.")] = "",
    gpu: Annotated[str, typer.Option("--gpu", help="With --to skypilot: the GPUs to ask for.")] = "H100",
) -> None:
    """Write script and job file, submit the job with sbatch or sky, and follow its output; Ctrl-C leaves it running.

    Options that a cluster asks for go into the variables of sbatch: SBATCH_ACCOUNT, SBATCH_PARTITION, SBATCH_TIMELIMIT.
    """
    from ryven_llm_nodes.program.launch.files import launch_files
    from ryven_llm_nodes.run.submitting import require_program

    with plain_errors():
        require_program(where)
        program = program_of(flow, title, settings, None, 1, launching)
        files = launch_files(program, where, output, _numbers(seeds), gpu)
        _write({output: program.script_for(output.absolute().parent).text, **files})
        state = _followed(program, list(files)[-1], where)
        typer.echo(f"the job ended: {state}", err=True)
        if state not in ("COMPLETED", "ENDED"):
            raise typer.Exit(1)


def _followed(program: Program, file: Path, where: str) -> str:
    """Submits a job file, and shows what its jobs print as a run is shown; returns how it ended."""
    from ryven_llm_nodes.run.events import Log
    from ryven_llm_nodes.run.job_log import JobLog
    from ryven_llm_nodes.run.submitting import submit as submitted
    from ryven_llm_nodes.terminal.display import Display

    stages = [step.name for step in program.steps if step.node.is_stage]
    logs: dict[str, JobLog] = {}
    with Display(Console(soft_wrap=True)) as display:

        def heard(part: str, line: str) -> None:
            if part not in logs:
                logs[part] = JobLog(stages, display, f" [{part}]" if part else "")
            logs[part](line)

        return submitted(file, where, lambda text: display(Log("", text)), heard)


def plan(
    flow: FlowFile,
    gpus: Annotated[str, typer.Option("--gpus", metavar="NUMBERxNAME", help="The GPUs, such as 8xH100 or 64xA100.")],
    title: FlowTitle = None,
    to: Target = None,
    settings: Settings = None,
    price: Annotated[float | None, typer.Option(min=0.0, help="USD per GPU and hour; default: a rough one.")] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: bytes, seconds and USD.")] = False,
) -> None:
    """Say what each stage would take on GPUs that need not be here: memory, communication, time and cost.

    For each strategy, by documented formulae; the fastest one that fits is chosen.
    """
    from ryven_llm_nodes.host.session import default_output_dir
    from ryven_llm_nodes.run.planning.hardware import cluster
    from ryven_llm_nodes.terminal.plan import show_plan

    with plain_errors():
        machines = cluster(gpus)
        program = program_of(flow, title, settings, to)
        allow(program.graph, default_output_dir(program.graph.title), trust)
        show_plan(program, machines, price, as_json, Console(soft_wrap=True))
