"""Eight more methods keep the promises: script = run, resumed = uninterrupted, and they learn."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import flows
import further
import pytest
from flows import node
from rotation import turn

from ryven_llm_nodes.catalogue import GRPO, PPO, RLOO, TrainRewardModel
from ryven_llm_nodes.run import CancelToken, Event, run_program
from ryven_llm_nodes.run.events import Completions, Progress

CASES = [(method, lora) for method in further.KINDS for lora in (False, True)]
SAMPLERS: dict[str, Any] = {"ppo": PPO, "grpo": GRPO, "rloo": RLOO}


@pytest.fixture(scope="module")
def place(workspace: Path) -> Path:
    """The folder of the tests with the rows and the teacher of these methods."""
    further.write_rows(workspace)
    return workspace


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def as_script(program: Any, folder: Path) -> Path:
    """Runs the exported script; returns its output folder."""
    folder.mkdir(exist_ok=True)
    script = folder / "script.py"
    script.write_text(program.script_for(folder).text, encoding="utf-8")
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(script), "--output-dir", str(folder / "script")]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "script"


SCRIPTS = [(method, False) for method in further.KINDS] + [("judge", True)]
"""With an adapter all are written alike, but for the reward model, whose head is trained next to it."""


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lora"), turn(SCRIPTS, 3), ids=str)
def test_the_script_ends_with_the_weights_of_the_run(method: str, lora: bool, place: Path, tmp_path: Path) -> None:
    program = flows.program(further.alone(method, lora), place)
    assert run_program(program, tmp_path / "run").error is None
    of_run = weights(tmp_path / "run" / method)
    assert of_run == weights(as_script(program, tmp_path / "there") / method)
    assert of_run != weights(place / "model")


@pytest.mark.parametrize(("method", "lora"), turn(CASES, 4), ids=str)
def test_stopped_and_run_again_ends_with_the_same_bits(method: str, lora: bool, place: Path, tmp_path: Path) -> None:
    settings = {"max_steps": 6, "save_strategy": "steps", "save_steps": 1}
    program = flows.program(further.alone(method, lora, **settings), place)
    assert run_program(program, tmp_path / "whole").status == "done"
    token = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 3:
            token.cancel()

    assert run_program(program, tmp_path / "twice", stop, token).status == "cancelled"
    events: list[Event] = []
    assert run_program(program, tmp_path / "twice", events.append).status == "done"
    assert next(event.done for event in events if isinstance(event, Progress)) == 3
    assert weights(tmp_path / "twice" / method) == weights(tmp_path / "whole" / method)


OBJECTIVES = [
    ("kto", "rewards/margins", True),
    ("orpo", "loss", False),
    ("cpo", "loss", False),
    ("rloo", "reward", True),
    ("distillation", "loss", False),
    ("judge", "margin", True),
    ("online_dpo", "objective/scores", True),
    ("gkd", "loss", False),
]
"""By method: what it optimizes, and whether that rises."""


@pytest.mark.parametrize(("method", "metric", "rises"), turn(OBJECTIVES, 2))
def test_it_learns(method: str, metric: str, rises: bool, place: Path, tmp_path: Path) -> None:
    settings = {"max_steps": 40, "learning_rate": 3e-3, "lr_scheduler_type": "constant"}
    settings |= {"per_device_train_batch_size": 16} if method in ("rloo", "distillation", "online_dpo") else {}
    program = flows.program(further.alone(method, **settings), place)
    assert run_program(program, tmp_path).error is None
    lines = map(json.loads, (tmp_path / method / "metrics.jsonl").read_text().splitlines())
    values = [line[metric] for line in lines if metric in line and "train_runtime" not in line]
    before, after = mean(values[:8]), mean(values[-8:])
    assert (after > before) == rises, (before, after)
    spread = max(values[:8]) - min(values[:8])
    assert abs(after - before) > spread / 2, (before, after, spread)


@pytest.mark.slow
@pytest.mark.parametrize("method", turn(list(SAMPLERS), 3))
def test_a_reward_model_that_the_flow_has_trained(method: str, place: Path, tmp_path: Path) -> None:
    """Its folder is scored from, in the run and in the script; and trained anew, what follows is trained anew."""
    settings = {**flows.ROLLOUT, **({} if method == "ppo" else {"num_generations": 4})}

    def drawn(**of_judge: Any) -> flows.Project:
        return flows.draw(
            f"base -> judge, pairs -> judge, base -> {method}, rows -> {method}, judge -> {method}",
            method,
            base=flows.BASE,
            pairs=further.PAIRS,
            rows=further.PROMPTS,
            judge=node(TrainRewardModel, **{**flows.FAST, **of_judge}),
            **{method: node(SAMPLERS[method], **settings)},
        )

    program = flows.program(drawn(), place)
    assert run_program(program, tmp_path / "run").error is None
    first = weights(tmp_path / "run" / method)
    script = as_script(program, tmp_path / "there")
    assert first == weights(script / method)
    assert weights(tmp_path / "run" / "judge") == weights(script / "judge")
    again = run_program(flows.program(drawn(max_steps=1), place), tmp_path / "run")
    assert again.error is None
    assert weights(tmp_path / "run" / method) != first


def test_completions_are_told_with_their_step_where_the_trainer_does_not(place: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    program = flows.program(further.alone("online_dpo", max_steps=3), place)
    assert run_program(program, tmp_path, events.append).error is None
    assert [event.done for event in events if isinstance(event, Completions)] == [0, 1, 2]
