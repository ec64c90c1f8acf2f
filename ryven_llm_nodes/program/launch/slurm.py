"""A job file for Slurm: one ``accelerate launch`` on each node, which is stopped in time, requeued, and resumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from ryven_llm_nodes.program.launch.serving import Serving, functions, served
from ryven_llm_nodes.program.launch.settings import Launch

NOTICE: Final = 300
"""Seconds before the limit at which the job is told to stop. Checkpoints are written as save_steps says."""
PORT: Final = 29500
STOP: Final = (
    "# Before the limit, the job ends itself and is queued again; --resume continues from the last checkpoint.",
    "# A job that is cancelled, or requeued by hand, is told to end as well, but is no longer running.",
    "STEP= JOB=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}",
    "stop() {",
    '    STATE=$(squeue --noheader --jobs "$JOB" --format %T) || true',
    '    if [ -n "$STEP" ]; then kill -TERM "$STEP" || true; wait "$STEP" || true; fi',
    '    if [ "${STATE:-RUNNING}" != RUNNING ]; then exit 1; fi',
    '    scontrol requeue "$JOB"',
    "    exit 0",
    "}",
    "trap stop TERM",
)
"""What a job does when Slurm sends it the signal."""


@dataclass(frozen=True)
class Job:
    """What a job runs: a script with its configurations of accelerate, in order, by the stage that each is for.

    An empty stage stands for all of them. ``models`` are loaded from the Hub, as arguments of ``hf download``, ``rows``
    by Python that caches them, none if some are streamed; ``packages`` are what the script needs;
    ``seeds`` make an array of one job each, and are given to the ``stages`` that train. ``servers`` are those of vLLM,
    by stage.
    """

    name: str
    script: str
    configs: Sequence[tuple[str, str, Launch]]
    models: Sequence[str] = ()
    seeds: Sequence[int] = ()
    packages: Sequence[str] = ()
    stages: Sequence[str] = ()
    time: str = "24:00:00"
    servers: Mapping[str, Serving] = field(default_factory=dict)
    rows: Sequence[str] = ()

    @property
    def largest(self) -> Launch:
        """The settings of the stage that needs the most processes."""
        return max((launch for _, _, launch in self.configs), key=lambda launch: launch.total)

    @property
    def gpus(self) -> int:
        """The GPUs that are needed on each machine: for processes, and for the server of a stage."""
        own = {stage: serving.server.gpus for stage, serving in self.servers.items()}
        return max(launch["processes"] + own.get(stage, 0) for stage, _, launch in self.configs)


def slurm_text(job: Job) -> str:
    """The job file as text."""
    return "\n".join((*_directives(job), "", *_preparation(job), "", *_launches(job))) + "\n"


def _directives(job: Job) -> Iterator[str]:
    launch = job.largest
    yield "#!/bin/bash"
    yield f"#SBATCH --job-name={job.name}"
    yield f"#SBATCH --nodes={launch['machines']}"
    yield "#SBATCH --ntasks-per-node=1"
    yield f"#SBATCH --gpus-per-node={job.gpus}"
    yield "#SBATCH --exclusive"
    yield "#SBATCH --mem=0"  # all of it; exclusive alone gives CPUs and GPUs
    yield f"#SBATCH --time={job.time}"
    yield f"#SBATCH --signal=B:TERM@{NOTICE}"
    yield "#SBATCH --requeue"
    yield "#SBATCH --open-mode=append"
    yield "#SBATCH --output=%x-%A_%a.out" if job.seeds else "#SBATCH --output=%x-%j.out"
    if job.seeds:
        yield f"#SBATCH --array=0-{len(job.seeds) - 1}"


def _preparation(job: Job) -> Iterator[str]:
    yield "set -euo pipefail"
    yield 'cd "$SLURM_SUBMIT_DIR"'
    if job.seeds:
        yield f"SEEDS=({' '.join(map(str, job.seeds))})"
        yield "SEED=${SEEDS[$SLURM_ARRAY_TASK_ID]}"
        yield f"OUTPUT=outputs/{quote(job.name)}-seed-$SEED"
    else:
        yield f"OUTPUT=outputs/{quote(job.name)}"
    yield ""
    yield "# All nodes must see the folder that checkpoints are written to."
    yield 'mkdir -p "$OUTPUT"'
    yield 'touch "$OUTPUT/.shared-$SLURM_JOB_ID"'
    yield (
        'srun --ntasks-per-node=1 test -e "$OUTPUT/.shared-$SLURM_JOB_ID" || '
        '{ echo "$OUTPUT is not shared by all nodes: submit from a folder that is" >&2; exit 1; }'
    )
    yield 'rm "$OUTPUT/.shared-$SLURM_JOB_ID"'
    yield from _fetching(job)
    yield "export PYTHONUNBUFFERED=1  # so that the log can be followed"
    yield ""
    if job.servers:
        yield from functions()
        yield ""
    yield from STOP
    yield 'export MAIN_NODE=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'


def _fetching(job: Job) -> Iterator[str]:
    """What is loaded from the Hub. Each line takes what is in the cache where there is no network."""
    if job.models or any(job.rows):
        yield ""
        yield "# Loaded before several processes need it. If the nodes have no network, run this elsewhere first."
        yield from (f"hf download {model} > /dev/null" for model in job.models)
        yield from (f"python -c {quote(rows)} > /dev/null" for rows in job.rows if rows)
    if all(job.rows):
        yield "export HF_HUB_OFFLINE=1"


def _launches(job: Job) -> Iterator[str]:
    yield "launch() {  # CONFIG NODES PROCESSES [ARGUMENTS]"
    yield "    CONFIG=$1 NODES=$2 PROCESSES=$3; shift 3"
    yield '    srun --nodes="$NODES" --ntasks="$NODES" --ntasks-per-node=1 --kill-on-bad-exit=1 bash -c \\'
    yield (
        '        \'exec accelerate launch --config_file "$0" --num_machines "$1" --num_processes "$2" '
        '--machine_rank "$SLURM_NODEID" '
        f'--main_process_ip "$MAIN_NODE" --main_process_port {PORT} "${{@:3}}" 2>&1\' \\'
    )
    yield f'        "$CONFIG" "$NODES" "$PROCESSES" {quote(job.script)} --output-dir "$OUTPUT" --resume "$@" &'
    yield "    STEP=$!"
    yield '    wait "$STEP"'
    yield "    STEP="
    yield "}"
    seeds = "".join(f' --{stage}.seed "$SEED"' for stage in job.stages) if job.seeds else ""
    for stage, config, launch in job.configs:
        only = f" --stage {quote(stage)}" if stage else ""
        line = f"launch {quote(config)} {launch['machines']} {launch.total}{only}{seeds}"
        serving = job.servers.get(stage)
        yield from served(stage, serving, launch["processes"], [line]) if serving else [line]
