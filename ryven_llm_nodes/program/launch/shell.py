"""A script for the shell of one machine: stages one after the other, those that need one with a vLLM server."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ryven_llm_nodes.program.launch.serving import functions, served
from ryven_llm_nodes.program.launch.slurm import Job


def shell_text(job: Job) -> str:
    """The script as text."""
    return "\n".join(_lines(job)) + "\n"


def _lines(job: Job) -> Iterator[str]:
    yield "#!/bin/bash"
    yield f"# bash {job.name}.sh [OUTPUT]: on {job.gpus} GPUs, the last of which are for the vLLM server. Run again, it"
    yield "# continues from the last checkpoint."
    yield "set -euo pipefail"
    yield 'cd "$(dirname "$0")"'
    yield f"OUTPUT=${{1:-outputs/{quote(job.name)}}}"
    yield 'mkdir -p "$OUTPUT"'
    yield ""
    yield from functions()
    yield ""
    yield "launch() {  # CONFIG [ARGUMENTS]"
    yield "    local config=$1; shift"
    yield f'    accelerate launch --config_file "$config" {quote(job.script)} --output-dir "$OUTPUT" --resume "$@"'
    yield "}"
    for stage, config, launch in job.configs:
        only = f" --stage {quote(stage)}" if stage else ""
        line, serving = f"launch {quote(config)}{only}", job.servers.get(stage)
        yield from served(stage, serving, launch["processes"], [line]) if serving else [line]
