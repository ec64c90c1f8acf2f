"""What goes to a process that runs a stage or a program, and errors that come back, as plain data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import FlowError, LLMNodesError, Problem, StageError, UsageError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.project import project_of

MODULE: Final = "ryven_llm_nodes.run.execute.worker"
"""What Python runs in such a process (``python -m``)."""


def stage_request(program: Program, output_dir: Path, step: Step) -> dict[str, Any]:
    """To run the stage ``step``, whose folder has been prepared, and all that it needs is finished."""
    processes = program.graph.launch.of(step.name).total
    return _request(program, output_dir) | {"step": step.name, "text": program.script.text, "processes": processes}


def run_request(program: Program, output_dir: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """To run ``program``; ``options`` are the flags of ``run_program``, and ``isolated``: each stage in a process."""
    return _request(program, output_dir) | {"options": dict(options), "processes": 1}


def _request(program: Program, output_dir: Path) -> dict[str, Any]:
    graph = program.graph
    place = {"root": str(graph.root), "source": graph.source, "output": str(output_dir)}
    return {"project": project_of(graph, graph.root), "threads": _threads(), **place}


def _threads() -> int | None:
    """The number of threads of torch, on which the weights depend; None where torch would choose it."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def error_of(data: Mapping[str, Any]) -> LLMNodesError:
    """An error from another process."""
    problems = [Problem.of_fields(one) for one in data["problems"]]
    if data["kind"] == "StageError":
        return StageError(problems[0])
    if data["kind"] == "FlowError":
        return FlowError(problems)
    return (UsageError if data["kind"] == "UsageError" else LLMNodesError)(data["text"])


def error_data(error: LLMNodesError) -> dict[str, Any]:
    """``error`` as plain data."""
    problems = getattr(error, "problems", None) or ([error.problem] if isinstance(error, StageError) else [])
    return {"kind": type(error).__name__, "text": str(error), "problems": [asdict(one) for one in problems]}
