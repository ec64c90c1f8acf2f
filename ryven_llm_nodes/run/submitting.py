"""Hands a job file to the scheduler of a cluster or cloud, and follows what the job prints."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ryven_llm_nodes.errors import LLMNodesError, UsageError

PROGRAMS: Final = {"slurm": "sbatch", "skypilot": "sky"}
"""What submits a job, by where it goes."""
Say = Callable[[str], None]


def require_program(target: str) -> str:
    """The program that submits to ``target``. Raises UsageError where it is not installed."""
    program = PROGRAMS.get(target)
    if program is None:
        raise UsageError(
            f"submit goes to {' or '.join(PROGRAMS)}, got {target!r}; `export --launch` writes the others."
        )
    if shutil.which(program) is None:
        raise UsageError(
            f"{program} is not installed here. Write the files with `export --launch {target}`, copy their folder to "
            f"a machine that has it, and submit them there."
        )
    return program


def submit(file: Path, target: str, say: Say, seconds: float = 5.0) -> str:
    """Submits ``file`` and passes on what its job prints until it is over; returns how it ended.

    The job continues if this is interrupted. Raises LLMNodesError if the scheduler refuses it.
    """
    if require_program(target) == "sky":
        return _sky(file, say)
    answer = _asked(["sbatch", "--parsable", file.name], file.parent)
    job = answer.split(";")[0]
    say(f"job {job} is submitted; its output goes to {file.stem}-{job}.out, and `scancel {job}` ends it")
    _follow(file.parent / f"{file.stem}-{job}.out", job, say, seconds)
    return _state(job)


def _sky(file: Path, say: Say) -> str:
    """SkyPilot prints the output of the task itself, until the task ends."""
    command = [
        "sky",
        "launch",
        "--yes",
        "--down",
        "--cluster",
        file.name.partition(".")[0].replace("_", "-"),
        file.name,
    ]
    process = subprocess.Popen(command, cwd=file.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout or ():
        say(line.rstrip("\n"))
    return "COMPLETED" if process.wait() == 0 else "FAILED"


def _asked(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise LLMNodesError(f"{command[0]} refused {command[-1]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def _follow(log: Path, job: str, say: Say, seconds: float) -> None:
    """Passes on the lines of ``log`` while the queue knows ``job``."""
    read = 0
    while True:
        is_there = _is_queued(job)
        if log.is_file():
            with log.open("rb") as file:
                file.seek(read)
                text = file.read()
            end = len(text) if not is_there else text.rfind(b"\n") + 1
            read += end
            for line in text[:end].decode("utf-8", "replace").splitlines():
                say(line)
        if not is_there:
            return
        time.sleep(seconds)


def _is_queued(job: str) -> bool:
    """Whether the queue lists the job: waiting, running, or requeued."""
    done = subprocess.run(["squeue", "--noheader", "--jobs", job, "--format", "%T"], capture_output=True, text=True)
    return done.returncode == 0 and bool(done.stdout.strip())


def _state(job: str) -> str:
    """How the job ended, as Slurm's accounting says, or ENDED where there is none."""
    if shutil.which("sacct") is None:
        return "ENDED"
    command = ["sacct", "--noheader", "--allocations", "--jobs", job, "--format", "State%20"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split()[0] if done.returncode == 0 and done.stdout.split() else "ENDED"
