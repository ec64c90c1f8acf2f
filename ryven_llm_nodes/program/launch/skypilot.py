"""A task file for SkyPilot: machines with the GPUs that the launch settings ask for, which run a script."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ryven_llm_nodes.program.launch.accelerate import yaml_lines
from ryven_llm_nodes.program.launch.slurm import PORT, Job


def skypilot_text(job: Job, gpu: str) -> str:
    """The task as YAML: ``gpu`` is the name of an accelerator, such as H100."""
    launch = job.largest
    task = {
        "name": job.name,
        "num_nodes": launch["machines"],
        "workdir": ".",
        "resources": {"accelerators": f"{gpu}:{launch['processes']}", "use_spot": False},
        "file_mounts": {"/outputs": {"name": f"{job.name}-outputs", "mode": "MOUNT"}},
        "setup": f"pip install {' '.join(map(quote, job.packages))}\n",
        "run": "\n".join(_run(job)) + "\n",
    }
    return "\n".join(yaml_lines(task)) + "\n"


def _run(job: Job) -> Iterator[str]:
    yield 'MAIN_NODE=$(echo "$SKYPILOT_NODE_IPS" | head -n 1)'
    for seed in job.seeds or (None,):
        output = f"/outputs/seed-{seed}" if seed is not None else "/outputs"
        seeds = "".join(f" --{stage}.seed {seed}" for stage in job.stages) if seed is not None else ""
        for stage, config, launch in job.configs:
            only = f" --stage {quote(stage)}" if stage else ""
            prefix = _only_on_its_nodes(job, launch["machines"])
            yield (
                f"{prefix}accelerate launch --config_file {quote(config)} --num_machines {launch['machines']} "
                f'--machine_rank "$SKYPILOT_NODE_RANK" --main_process_ip "$MAIN_NODE" --main_process_port {PORT} '
                f"{quote(job.script)} --output-dir {output} --resume{only}{seeds}"
            )


def _only_on_its_nodes(job: Job, machines: int) -> str:
    """A stage that needs fewer machines than another runs on the first ones; the others wait at the next."""
    return f'[ "$SKYPILOT_NODE_RANK" -ge {machines} ] || ' if machines < job.largest["machines"] else ""
