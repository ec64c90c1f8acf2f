"""The cells of a benchmark, (task, method, seed), and the file of their results: one JSON line per finished cell.

A process per task trains its cells one after the other; this process alone writes. A line is written in one piece
and only when its cell is finished, so that after a kill -9 the next call does exactly the cells that are missing.
"""

import ast
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from .methods import PASSES, Method, train_here, train_old, untrained
from .models import MODELS, model_folder
from .tasks import ModelScore, Task, shortened, tasks

MARK = "cell: "
"""What begins the lines of a child's output that are results."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Of children: a thread each, and no downloads."""
UNTRAINED = Method("untrained", "untrained")
STARTS = 512
"""Completions of the untrained model that give the start of a task; fewer for a model that is not tiny."""


@cache
def code_digest() -> str:
    """A digest of the PPO that is measured, comments and documentation left out: another state makes another run."""
    folder = Path(__file__).parents[3] / "ryven_llm_nodes" / "runtime"
    text = "".join(bare(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("ppo*.py")))
    return hashlib.sha1(text.encode()).hexdigest()[:8]


def bare(source: str) -> str:
    """A source without comments, documentation and the help of fields, in one style."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0] = ast.Pass()
        if isinstance(node, ast.Dict):
            node.values = [
                ast.Constant("") if is_help(key) else value for key, value in zip(node.keys, node.values, strict=True)
            ]
    return ast.unparse(tree)


def is_help(key: ast.expr | None) -> bool:
    """Whether a key of a dictionary is that of a field's help."""
    return isinstance(key, ast.Constant) and key.value in ("help", "typical")


@dataclass(frozen=True)
class Cell:
    """One run: a task, a method and a seed."""

    task: Task
    method: Method
    seed: int

    @property
    def key(self) -> str:
        """What tells a cell from others: its names, and a digest of its settings and, where it is measured, our PPO."""
        task = self.task
        facts = [task.completions, task.rollout, task.group, task.length, task.learning_rate, task.model, task.weights]
        facts += [task.lora, PASSES, self.method.kind, self.method.settings_for(task)]
        facts += [code_digest()] if self.method.kind == "ppo" else []
        digest = hashlib.sha1(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
        return f"{task.name}/{self.method.name}/{self.seed}/{digest}"


@dataclass(frozen=True)
class Place:
    """What training a cell needs besides the cell."""

    cache: Path
    smollm: str | None = None
    old_python: str | None = None


class Results:
    """The file of results. One process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("a+b")
        self.lock = threading.Lock()
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"{path}: another bench_rl.py writes to it. Wait for it, or give another --out.") from None
        self._drop_unfinished_line()

    def _drop_unfinished_line(self) -> None:
        self.file.seek(0)
        text = self.file.read()
        self.file.truncate(text.rfind(b"\n") + 1)

    def add(self, line: dict[str, Any]) -> None:
        """Append a line, and see to it that it is on the disk."""
        with self.lock:
            self.file.write(json.dumps(line).encode() + b"\n")
            self.file.flush()
            os.fsync(self.file.fileno())


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The finished cells of a file of results, by key; a last line without end is no result."""
    text = path.read_text() if path.exists() else ""
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return {line["key"]: line for line in lines}


def cells_of(task: Task, methods: list[Method], seeds: int) -> list[Cell]:
    """The cells of a task: its start, then all methods seed by seed, so that what is there can be compared."""
    return [Cell(task, UNTRAINED, 0), *(Cell(task, method, seed) for seed in range(seeds) for method in methods)]


def train(cell: Cell, place: Place) -> dict[str, Any]:
    """The learning curve of a cell, and the processor time it took."""
    task, method, cache = cell.task, cell.method, place.cache
    if method.kind == UNTRAINED.kind:
        return {"start": untrained(task, cache, STARTS if task.model in MODELS else 64)}
    if method.kind == "trl-1.12-ppo":
        return train_old(task, method, cell.seed, cache, str(place.old_python), place.smollm)
    watch = train_here(task, method, cell.seed, cache)
    return {"curve": watch.curve, "seconds": watch.seconds()}


# A child: all cells of a task -----------------------------------------------------------------------------


def child(order: dict[str, Any]) -> int:
    """Train the cells that the order lists, printing each result; returns the number of those that failed."""
    place = Place(Path(order["cache"]), order["smollm"], order["old_python"])
    task = shortened(tasks(place.cache, place.smollm)[order["task"]], order["completions"])
    failed = 0
    for seed, method in order["cells"]:
        cell = Cell(task, Method(**method), seed)
        try:
            result = train(cell, place)
        except Exception:
            print(f"{cell.key}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            failed += 1
            continue
        line = {"key": cell.key, "task": task.name, "method": cell.method.name, "seed": seed, "code": code_digest()}
        print(MARK + json.dumps({**line, "completions": task.completions, **result}), flush=True)
    return failed


def order_for(cells: list[Cell], place: Place) -> dict[str, Any]:
    """What a child is told, as JSON: cells of one task."""
    task = cells[0].task
    return {
        "task": task.name,
        "completions": task.completions,
        "cells": [(cell.seed, asdict(cell.method)) for cell in cells],
        "cache": str(place.cache),
        "smollm": place.smollm,
        "old_python": place.old_python,
    }


# The parent: a child per task -----------------------------------------------------------------------------


def run_task(script: Path, cells: list[Cell], place: Place, results: Results, log: Path) -> int:
    """Have a child train the cells of a task, and write down each as it is finished; returns the exit code."""
    command = [sys.executable, str(script), "--child", json.dumps(order_for(cells, place))]
    pipes = {"stdout": subprocess.PIPE, "text": True, "env": {**os.environ, **ENVIRONMENT}}
    with (
        log.open("a") as errors,
        subprocess.Popen(command, stderr=errors, **pipes) as process,
    ):
        for line in process.stdout or ():
            if line.startswith(MARK):
                result = json.loads(line.removeprefix(MARK))
                results.add(result)
                print(summary(result), flush=True)
    return process.returncode


def summary(result: dict[str, Any]) -> str:
    """A line for the terminal."""
    if "start" in result:
        return f"{result['task']}: starts at {result['start']:.3f}"
    curve = result["curve"]
    name = f"{result['task']} / {result['method']} / seed {result['seed']}"
    return f"{name}: {curve[0][2]:.3f} to {curve[-1][2]:.3f} in {result['seconds']:.0f} s"


def make_models(wanted: list[Task], cache: Path) -> None:
    """Make the models of these tasks, so that no child has to."""
    cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    names = {task.model for task in wanted}
    if any(isinstance(score, ModelScore) for task in wanted for score in task.scores):
        names.add("reward-model")
    for name in sorted(names):
        model_folder(name, cache)


def run_all(script: Path, by_task: list[list[Cell]], place: Place, out: Path, jobs: int) -> int:
    """Train what the file of results does not have yet, `jobs` tasks at a time; returns how many tasks failed."""
    results, finished = Results(out), read(out)
    left = [[cell for cell in cells if cell.key not in finished] for cells in by_task]
    left = [cells for cells in left if cells]
    print(f"{sum(map(len, left))} of {sum(map(len, by_task))} runs to do, into {out}", flush=True)
    make_models([cells[0].task for cells in left], place.cache)
    log = out.with_suffix(".log")
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(lambda cells: run_task(script, cells, place, results, log), left))
    failed = [cells[0].task.name for cells, code in zip(left, codes, strict=True) if code]
    if failed:
        print(f"failed, see {log}: {', '.join(failed)}", file=sys.stderr)
    return len(failed)
