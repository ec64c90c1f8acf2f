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
ENDS: Final = frozenset(
    {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
)
"""The states of a job that does not run again; one that is preempted or requeued is pending."""
FORGOTTEN: Final = "Invalid job id"
"""What squeue says about a job that ended some minutes ago; another failure says nothing about the job."""
Say = Callable[[str], None]
Heard = Callable[[str, str], None]
"""Takes a line that a job printed: the number in its array, or nothing, and the text."""


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


def submit(file: Path, target: str, say: Say, heard: Heard, seconds: float = 5.0) -> str:
    """Submits ``file`` and passes on what its job prints until it is over; returns how it ended.

    The job continues if this is interrupted. Raises LLMNodesError if the scheduler refuses it.
    """
    if require_program(target) == "sky":
        return _sky(file, heard)
    job = _asked(["sbatch", "--parsable", file.name], file.parent).split(";")[0]
    is_array = "#SBATCH --array" in file.read_text("utf-8")
    logs = Logs(file.parent, f"{file.stem}-{job}", is_array, heard)
    say(f"job {job} is submitted; its output goes to {logs.pattern}, and `scancel {job}` ends it")
    states = _followed(job, logs, say, seconds)
    ended = [state for state in states if state in ENDS]
    return _worst(ended) if ended else _accounted(job)


def _sky(file: Path, heard: Heard) -> str:
    """SkyPilot prints the output of the task itself, until the task ends."""
    cluster = file.name.partition(".")[0].replace("_", "-")
    command = ["sky", "launch", "--yes", "--down", "--cluster", cluster, file.name]
    process = subprocess.Popen(command, cwd=file.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout or ():
        heard("", line.rstrip("\n"))
    return "COMPLETED" if process.wait() == 0 else "FAILED"


def _asked(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise LLMNodesError(f"{command[0]} refused {command[-1]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


class Logs:
    """The files that a job writes: one, or one for each job of an array."""

    def __init__(self, folder: Path, stem: str, is_array: bool, heard: Heard) -> None:
        self.pattern = f"{stem}_*.out" if is_array else f"{stem}.out"
        self._folder, self._stem, self._heard = folder, stem, heard
        self._read: dict[Path, int] = {}

    def pass_on(self, is_over: bool) -> None:
        """Passes on the complete lines that are new, and at the end what is left."""
        for file in sorted(self._folder.glob(self.pattern)):
            with file.open("rb") as opened:
                opened.seek(self._read.get(file, 0))
                text = opened.read()
            end = len(text) if is_over else text.rfind(b"\n") + 1
            self._read[file] = self._read.get(file, 0) + end
            part = file.stem.removeprefix(self._stem).removeprefix("_")
            for line in text[:end].decode("utf-8", "replace").splitlines():
                self._heard(part, line)


def _followed(job: str, logs: Logs, say: Say, seconds: float) -> list[str]:
    """Passes on what a job prints until it has ended; returns the last states of its parts that the queue knew."""
    states, trouble = [], ""
    while True:
        known, wrong = _states(job)
        if wrong and wrong != trouble:
            say(f"squeue: {wrong}; the job is not affected")
        trouble = wrong
        states = known or states
        is_over = not wrong and all(state in ENDS for state in known)
        logs.pass_on(is_over)
        if is_over:
            return states
        time.sleep(seconds)


def _states(job: str) -> tuple[list[str], str]:
    """The states of the parts of a job, none if the queue has forgotten it; and what was wrong with the question."""
    command = ["squeue", "--noheader", "--states=all", "--jobs", job, "--format", "%T"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stderr.strip()
    if done.returncode and FORGOTTEN not in said:
        return [], said or f"exit status {done.returncode}"
    return done.stdout.split(), ""


def _worst(states: list[str]) -> str:
    """How an array ended: completed if all of it is."""
    return next((state for state in states if state != "COMPLETED"), "COMPLETED")


def _accounted(job: str) -> str:
    """How a job ended that the queue has forgotten, as Slurm's accounting says, or ENDED where there is none."""
    if shutil.which("sacct") is None:
        return "ENDED"
    command = ["sacct", "--noheader", "--allocations", "--jobs", job, "--format", "State%20"]
    done = subprocess.run(command, capture_output=True, text=True)
    states = [line.split()[0] for line in done.stdout.splitlines() if line.split()]
    return _worst(states) if done.returncode == 0 and states else "ENDED"
