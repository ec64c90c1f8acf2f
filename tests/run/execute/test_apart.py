"""Stages and runs in processes of their own: the same bits and events, and what is left when one is killed.

That Stop ends a stage whatever its code does is tested where it is pressed: gui/running/test_run_controller.py.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import psutil
import pytest
from children import run_in_processes
from rotation import turn

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run import CancelToken, Event, here, in_processes, run_apart, run_program
from ryven_llm_nodes.run.events import Completions, Metrics, Progress, StageFailed, StageStarted

METHODS = turn(flows.METHODS, 4)
"""Those whose run here is compared with one in a process of its own."""
LONG = {"max_steps": 400, "save_strategy": "steps", "save_steps": 1}


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def told(events: list[Event]) -> list[dict[str, Any]]:
    """The events of training, without times."""
    lines = [json.loads(e.to_json()) for e in events if isinstance(e, Progress | Metrics | Completions)]
    for line in lines:
        timed = [name for name in line.get("values", ()) if "runtime" in name or "per_second" in name or "time" in name]
        for name in timed:
            del line["values"][name]
    return lines


class Run:
    """A run in a thread; ``children`` are the processes that it started."""

    def __init__(self, work: Callable[..., Any], program: Program, output: Path, **options: Any) -> None:
        self.events: list[Event] = []
        self.cancel = CancelToken()
        self.outcome: Any = None
        self._trains = threading.Event()

        def go() -> None:
            self.outcome = work(program, output, self._listen, self.cancel, **options)

        self.thread = threading.Thread(target=go)
        self.thread.start()

    def _listen(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Progress) and event.done >= 1:
            self._trains.set()

    def until_it_trains(self) -> None:
        assert self._trains.wait(120), self.events

    def end(self) -> Any:
        self.thread.join(120)
        assert not self.thread.is_alive()
        return self.outcome

    @property
    def children(self) -> list[psutil.Process]:
        found = psutil.Process().children(recursive=True)
        return [child for child in found if "ryven_llm_nodes.run.execute.worker" in child.cmdline()]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_stage_in_a_process_of_its_own_is_the_same(method: str, workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone(method), workspace)
    here: list[Event] = []
    there: list[Event] = []
    assert run_program(program, tmp_path / "here", here.append).status == "done"
    outcome = run_program(program, tmp_path / "there", there.append, place=in_processes)
    assert outcome.status == "done"
    assert outcome.models[method] == tmp_path / "there" / method
    assert weights(tmp_path / "there" / method) == weights(tmp_path / "here" / method)
    assert told(there) == told(here)
    again: list[Event] = []
    run_program(program, tmp_path / "there", again.append)
    assert method not in [event.step for event in again if isinstance(event, StageStarted)], "it is reused"


@pytest.mark.slow
def test_a_complete_run_apart_is_the_same(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(flows.alone("dpo"), workspace)
    here: list[Event] = []
    there: list[Event] = []
    run_program(program, tmp_path / "here", here.append)
    outcome = run_apart(program, tmp_path / "there", there.append)
    assert outcome.status == "done"
    assert outcome.models["dpo"] == tmp_path / "there" / "dpo"
    assert weights(tmp_path / "there" / "dpo") == weights(tmp_path / "here" / "dpo")
    assert [type(event) for event in there] == [type(event) for event in here]


@pytest.mark.slow
def test_a_killed_stage_is_explained_and_resumes_to_the_same_bits(workspace: Path, tmp_path: Path) -> None:
    settings = {"max_steps": 30, "save_strategy": "steps", "save_steps": 1}
    program = flows.program(flows.alone("sft", **settings), workspace)
    run_program(program, tmp_path / "whole")
    run = Run(run_program, program, tmp_path / "killed", place=in_processes)
    run.until_it_trains()
    (child,) = run.children
    child.send_signal(signal.SIGKILL)
    outcome = run.end()
    assert outcome.status == "failed"
    assert "its process was killed by the system (signal 9), as happens when memory runs out" in str(outcome.error)
    assert "per_device_train_batch_size (4)" in str(outcome.error)
    assert "Then run again" in str(outcome.error)
    assert [type(e) for e in run.events if e.step == "sft"][-1] is StageFailed
    again = run_program(program, tmp_path / "killed", place=in_processes)
    assert again.status == "done"
    assert weights(tmp_path / "killed" / "sft") == weights(tmp_path / "whole" / "sft")


@pytest.mark.slow
def test_no_process_outlives_the_one_that_started_it(workspace: Path, tmp_path: Path) -> None:
    drawn = flows.alone("sft", **LONG)
    parent = multiprocessing.get_context("spawn").Process(target=run_in_processes, args=(workspace, tmp_path, drawn))
    parent.start()
    for _ in range(1200):
        if (tmp_path / "sft" / "checkpoints" / "checkpoint-1").exists():
            break
        time.sleep(0.1)
    found = psutil.Process(parent.pid).children(recursive=True)
    children = [child for child in found if "ryven_llm_nodes.run.execute.worker" in child.cmdline()]
    assert children
    os.kill(parent.pid or 0, signal.SIGKILL)
    parent.join()
    _, alive = psutil.wait_procs(children, timeout=2)
    assert not alive


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_twice_the_batch(workspace: Path, tmp_path: Path) -> None:
    steps = {"max_steps": 2, "lr_scheduler_type": "constant"}

    def losses(processes: int, batch: int) -> list[float]:
        events: list[Event] = []
        drawn = flows.alone("sft", per_device_train_batch_size=batch, **steps)
        program = flows.program(drawn, workspace, processes)
        place = in_processes if processes > 1 else here
        outcome = run_program(program, tmp_path / str(processes), events.append, place=place)
        assert outcome.status == "done", outcome.error
        found = [event.values for event in events if isinstance(event, Metrics)]
        return [values["loss"] for values in found if "loss" in values]

    assert losses(2, 2) == pytest.approx(losses(1, 4), abs=1e-4)
