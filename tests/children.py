"""What tests run in processes of their own, which find it by import."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import flows
import further

M_MMAP_THRESHOLD = -3  # from malloc.h


def run_saving_every_step(workspace: Path, output_dir: Path, method: str, lora: bool, is_apart: bool = False) -> None:
    """Runs one trainer that saves every step, here or in a process of its own, and ends the process."""
    import torch

    from ryven_llm_nodes.run import here, in_processes, run_program

    torch.set_num_threads(1)
    rollout = {"num_iterations": 2} if method in ("ppo", "grpo") else {}
    saved = {"max_steps": 12, "save_strategy": "steps", "save_steps": 1}
    alone = flows.alone if method in flows.METHODS else further.alone
    program = flows.program(alone(method, lora, **saved, **rollout), workspace)
    outcome = run_program(program, output_dir, place=in_processes if is_apart else here)
    os._exit(0 if outcome.status == "done" else 1)


def run_to_the_end(workspace: Path, output_dir: Path, drawn: flows.Project) -> None:
    """Runs a flow, and ends the process."""
    import torch

    from ryven_llm_nodes.run import run_program

    torch.set_num_threads(1)
    outcome = run_program(flows.program(drawn, workspace), output_dir)
    os._exit(0 if outcome.status == "done" else 1)


def run_in_processes(workspace: Path, output_dir: Path, drawn: flows.Project) -> None:
    """Runs a flow, each stage in a process of its own."""
    from ryven_llm_nodes.run import in_processes, run_program

    run_program(flows.program(drawn, workspace), output_dir, place=in_processes)


def run_with_little_memory(workspace: Path, output_dir: Path, settings: dict[str, Any], sender: Connection) -> None:
    """Runs SFT, which after three steps is given hardly more memory; sends what the run says, and ends."""
    import torch

    from ryven_llm_nodes.run import run_program
    from ryven_llm_nodes.run.events import Event, Progress

    torch.set_num_threads(1)
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 4096)  # each tensor is asked of the system, and given back to it
    limits = resource.getrlimit(resource.RLIMIT_AS)

    def starve(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 3:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, limits[1]))

    outcome = run_program(flows.program(flows.alone("sft", **settings), workspace), output_dir, starve)
    resource.setrlimit(resource.RLIMIT_AS, limits)
    sender.send(str(outcome.error))
    os._exit(0)


def run_and_tell_what_was_opened(workspace: Path, output_dir: Path, drawn: flows.Project, sender: Connection) -> None:
    """Runs a flow; sends what went wrong, if anything, and every file below ``workspace`` that was opened."""
    import torch

    from ryven_llm_nodes.run import run_program

    torch.set_num_threads(1)
    opened: set[str] = set()

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str) and args[0].startswith(str(workspace)):
            opened.add(args[0])

    program = flows.program(drawn, workspace)
    sys.addaudithook(note)
    outcome = run_program(program, output_dir)
    sender.send((str(outcome.error or ""), sorted(opened)))
    os._exit(0)
