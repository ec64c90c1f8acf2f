"""What ``export --launch`` writes next to a script: configurations of accelerate, a job file, a task file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from ryven_llm_nodes.catalogue.places import is_local
from ryven_llm_nodes.errors import UsageError, suggestion
from ryven_llm_nodes.program.build import Program
from ryven_llm_nodes.program.launch.accelerate import accelerate_text
from ryven_llm_nodes.program.launch.serving import servings
from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.program.launch.shell import shell_text
from ryven_llm_nodes.program.launch.skypilot import skypilot_text
from ryven_llm_nodes.program.launch.slurm import Job, slurm_text
from ryven_llm_nodes.program.requirements import LIBRARIES, requirement

TARGETS: Final = ("accelerate", "slurm", "skypilot")


def launch_files(
    program: Program, target: str, script: Path, seeds: Sequence[int] = (), gpu: str = "H100"
) -> dict[Path, str]:
    """The files that launch ``script`` by ``target``, with their text. Raises UsageError for another target."""
    if target not in TARGETS:
        raise UsageError(f"--launch {target}: there are {', '.join(TARGETS)}.{suggestion(target, TARGETS)}")
    servers = servings(program, script.absolute().parent)
    configs = _configs(program, script, servers)
    files = {script.parent / config: accelerate_text(launch) for _, config, launch in configs}
    stages = [step.name for step in program.steps if step.node.is_stage]
    trained = [stage for stage in stages if program.cells[stage].config]
    packages = [requirement(name) for name in (*LIBRARIES, *_generating(program))]
    more = {"servers": servers, "rows": _rows(program)}
    job = Job(script.stem, script.name, configs, _models(program), seeds, packages, trained, **more)
    _require_startable(job, target)
    if target == "slurm":
        files[script.with_suffix(".sbatch")] = slurm_text(job)
    elif target == "skypilot":
        files[script.with_suffix(".sky.yaml")] = skypilot_text(job, gpu)
    elif servers:
        files[script.with_suffix(".sh")] = shell_text(job)
    return files


def _require_startable(job: Job, target: str) -> None:
    """Raises UsageError for servers that ``target`` does not start."""
    stage = next(iter(job.servers), "")
    if stage and target == "skypilot":
        raise UsageError(
            f"--launch skypilot: {stage} generates with a vLLM server, which only slurm and accelerate start; "
            f"use --launch slurm, or set {stage}.vllm_mode to 'colocate'."
        )
    if stage and target == "accelerate" and job.largest["machines"] > 1:
        raise UsageError(
            f"--launch accelerate: {stage} generates with a vLLM server, and there are {job.largest['machines']} "
            "machines, each of which has to be started; use --launch slurm."
        )


def _generating(program: Program) -> tuple[str, ...]:
    """What generates completions faster, where a stage asks for it."""
    return ("vllm",) if any(step.given.get("use_vllm") for step in program.steps) else ()


def _configs(program: Program, script: Path, servers: Collection[str]) -> list[tuple[str, str, Launch]]:
    """The configurations in the order in which stages run: one, or where stages differ, one for each.

    What belongs to no stage, such as the copy of a model, is done at the end.
    """
    common, name = program.graph.launch.of(""), f"{script.stem}.accelerate.yaml"
    stages = [step.name for step in program.steps if step.node.is_stage]
    if not program.graph.launch.stages:
        return [*((stage, name, common) for stage in stages if servers), ("", name, common)]
    own = [(stage, f"{script.stem}.{stage}.accelerate.yaml", program.graph.launch.of(stage)) for stage in stages]
    return [*own, ("", name, Launch())]


def _models(program: Program) -> list[str]:
    """The models of the Hub that the flow loads, as arguments of ``hf download``."""
    found = (step.node.pretrained(program.context(step)) for step in program.steps)
    models = [model for model in found if model and not is_local(model.location, program.graph.root)]
    revisions = {model: f" --revision {quote(model.revision)}" if model.revision else "" for model in models}
    return list(dict.fromkeys(quote(model.location) + revisions[model] for model in models))


def _rows(program: Program) -> list[str]:
    """What caches the rows of the Hub that the flow loads."""
    found = (step.node.fetched(program.context(step)) for step in program.steps)
    return list(dict.fromkeys(rows for rows in found if rows is not None))
