"""Measures the peak memory of a stage: a process of its own trains it for two steps on its longest rows.

It is ``python -m ryven_llm_nodes.run.fit.measure``, with a question as JSON on its input. Two steps, since the state of
the optimizer is there from the first one's end on.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program import Graph, Program, Step, build
from ryven_llm_nodes.program.environment import prepare_environment
from ryven_llm_nodes.program.project import graph_of_project, project_of
from ryven_llm_nodes.run.examine.configs import completion_length
from ryven_llm_nodes.run.examine.opened import Opened, opened
from ryven_llm_nodes.run.fit.workload import longest_rows
from ryven_llm_nodes.system.causes import describe

COMMAND: Final = (sys.executable, "-m", "ryven_llm_nodes.run.fit.measure")
STEPS: Final = 2
ONLY_STEPS: Final[Mapping[str, Any]] = {
    "max_steps": STEPS,
    "save_strategy": "no",
    "eval_strategy": "no",
    "load_best_model_at_end": False,
    "logging_steps": 1,
    "report_to": "none",
    "push_to_hub": False,
}
"""What two steps on few rows are: nothing else is saved, evaluated or sent."""


def measured(graph: Graph, step: Step) -> int | str:
    """The peak memory of ``step`` in bytes, above that of its process with its libraries, or why there is none."""
    part = graph.upstream([step.name])
    asked = {"project": project_of(part, part.root), "root": str(part.root), "step": step.name}
    done = subprocess.run(COMMAND, input=json.dumps(asked), capture_output=True, text=True)
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"its process ended with status {done.returncode}"
    return answer.get("bytes") or str(answer.get("problem"))


class _Probe:
    """Takes the place of a pipeline: makes the trainer of a stage, and lets it do two steps."""

    def __init__(self, folder: Path, rows: Any) -> None:
        self.folder, self.rows = folder, rows

    def train(
        self,
        stage: str,
        trainer_class: Callable[..., Any],
        configure: Callable[..., Any],
        fit: object = None,
        save: object = None,
        eval_dataset: object = None,
        **inputs: Any,
    ) -> str:
        """What a pipeline does for a stage, but for saving."""
        args = configure(self.folder, **_changes(configure(self.folder)))
        made = {name: value() if isinstance(value, partial) else value for name, value in inputs.items()}
        trainer = trainer_class(args=args, **{**made, "train_dataset": self.rows})
        trainer.train()
        return str(self.folder)


def _changes(config: Any) -> dict[str, Any]:
    """Two steps; completions are as long as they may be."""
    changes = dict(ONLY_STEPS)
    if hasattr(config, "generation_kwargs"):
        least = {"min_new_tokens": completion_length(config)}
        changes["generation_kwargs"] = {**(config.generation_kwargs or {}), **least}
    return changes


def peak_of(there: Opened, step: Step) -> int:
    """The peak memory, in bytes, that ``step`` adds to this process, which has loaded its libraries."""
    rows = longest_rows(there, step)
    for other in there.program.steps:
        if other.node.is_stage and other.name != step.name and other.wired("model"):
            there.loaded.module.__dict__[other.name] = _origin(there, other)  # not trained yet, but of the same size
        elif other.name in {*there.program.later} & {*there.program.script.statements} - {step.name}:
            there.loaded.run(other.name)
    with tempfile.TemporaryDirectory() as folder:
        there.loaded.module.__dict__["pipeline"] = _Probe(Path(folder), rows)
        gc.collect()
        before = _now()
        there.loaded.run(step.name)
        return _peak() - before


def _origin(there: Opened, stage: Step) -> Any:
    *_, base = there.program.graph.lineage(stage)
    return there.loaded.module.__dict__[base.name]


STATUS: Final = Path("/proc/self/status")
"""Where Linux tells the memory of a process. What ``getrusage`` gives may be of the process that started it."""


def _now() -> int:
    import psutil
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    return psutil.Process().memory_info().rss


def _peak() -> int:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():
        (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import psutil

    if os.name == "nt":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a question of :func:`measured`."""
    try:
        program: Program = build(graph_of_project(asked["project"], Path(asked["root"])))
        with opened(program) as there:
            return {"bytes": peak_of(there, program.graph.by_name[asked["step"]])}
    except LLMNodesError as error:
        return {"problem": str(error)}
    except Exception as error:  # the stage would fail with the same error
        return {"problem": describe(error)}


if __name__ == "__main__":
    prepare_environment()
    with redirect_stdout(sys.stderr):
        found = answer(json.load(sys.stdin))
    print(json.dumps(found))
