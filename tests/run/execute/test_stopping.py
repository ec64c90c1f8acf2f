"""Stop: the step that has begun is finished and saved, and the log says from where the next run resumes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from rotation import turn

from ryven_llm_nodes.errors import Cancelled
from ryven_llm_nodes.run import CancelToken, Event, Outcome, run_program
from ryven_llm_nodes.run.events import Completions, Log, Progress
from ryven_llm_nodes.run.store.kept import checkpoints_in, step_of

RARELY: dict[str, Any] = {"max_steps": 6, "save_strategy": "steps", "save_steps": 100}


def drawn(method: str, lora: bool = False, **params: Any) -> flows.Project:
    """One trainer that saves no checkpoint on its own; PPO and GRPO use each rollout twice."""
    rollout = {"num_iterations": 2} if method in ("ppo", "grpo") else {}
    return flows.alone(method, lora, **{**RARELY, **rollout, **params})


def stopped(
    program: Any, output_dir: Path, when: Callable[[Event], bool], now: bool = False
) -> tuple[Outcome, list[str]]:
    """Runs until an event that ``when`` is true of; the outcome, and what the log says of stopping."""
    token, said = CancelToken(), []

    def listen(event: Event) -> None:
        if when(event):
            token.cancel(now)
        if isinstance(event, Log) and "stopped" in event.text:
            said.append(event.text)

    return run_program(program, output_dir, listen, token), said


def at(step: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Progress) and event.done == step


def scoring(done: int) -> Callable[[Event], bool]:
    """While the rollout after ``done`` steps is scored."""
    return lambda event: isinstance(event, Completions) and event.done == done


def saved(folder: Path) -> list[int]:
    return sorted(map(step_of, checkpoints_in(folder)))


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def resumed(program: Any, output_dir: Path) -> int:
    """Runs to the end; the step that it resumed from."""
    events: list[Event] = []
    assert run_program(program, output_dir, events.append).status == "done"
    return next(event.done for event in events if isinstance(event, Progress))


@pytest.mark.parametrize(
    ("method", "lora", "end"),
    turn([("sft", False, 3), ("ppo", True, 4), ("grpo", False, 4)], 3),
)
def test_a_checkpoint_is_left_where_it_stopped(
    method: str, lora: bool, end: int, workspace: Path, tmp_path: Path
) -> None:
    """With rollouts that serve two steps, at the end of the rollout."""
    program = flows.program(drawn(method, lora), workspace)
    assert run_program(program, tmp_path / "whole").status == "done"
    outcome, said = stopped(program, tmp_path / "twice", at(3))
    assert outcome.status == "cancelled"
    assert said == [f"{method}: stopped at step {end} of 6, with a checkpoint; the next run resumes there"]
    assert saved(tmp_path / "twice" / method) == [end]
    assert resumed(program, tmp_path / "twice") == end
    assert weights(tmp_path / "twice" / method) == weights(tmp_path / "whole" / method)


def test_a_step_that_has_begun_is_finished(workspace: Path, tmp_path: Path) -> None:
    """Else the step before it would be lost, which has no checkpoint."""
    program = flows.program(drawn("grpo", num_iterations=1), workspace)
    run_program(program, tmp_path / "whole")
    _, said = stopped(program, tmp_path / "twice", scoring(1))
    assert said == ["grpo: stopped at step 2 of 6, with a checkpoint; the next run resumes there"]
    assert resumed(program, tmp_path / "twice") == 2
    assert weights(tmp_path / "twice/grpo") == weights(tmp_path / "whole/grpo")


class TestNothingToLose:
    def test_right_after_a_checkpoint_it_stops_at_once(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(drawn("grpo", num_iterations=1, save_steps=2), workspace)
        _, said = stopped(program, tmp_path, scoring(2))
        assert said == ["grpo: stopped at step 2 of 6, with a checkpoint; the next run resumes there"]
        assert saved(tmp_path / "grpo") == [2]

    def test_in_the_first_step_too(self, workspace: Path, tmp_path: Path) -> None:
        _, said = stopped(flows.program(drawn("grpo"), workspace), tmp_path, scoring(0))
        assert said == ["grpo: stopped; the next run trains it from the beginning"]
        assert saved(tmp_path / "grpo") == []

    def test_without_checkpoints_it_says_so(self, workspace: Path, tmp_path: Path) -> None:
        program = flows.program(drawn("sft", save_strategy="no"), workspace)
        _, said = stopped(program, tmp_path, at(3))
        why = "save_strategy is 'no', so the next run trains it from the beginning"
        assert said == [f"sft: stopped at step 3 of 6; {why}"]
        assert resumed(program, tmp_path) == 0


def test_at_once_the_newest_checkpoint_is_named(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(drawn("sft", save_steps=2), workspace)
    _, said = stopped(program, tmp_path, at(3), now=True)
    assert said == ["sft: stopped at step 3 of 6; the next run resumes from its newest checkpoint, of step 2"]
    assert resumed(program, tmp_path) == 2


def test_where_a_metric_decides_what_is_saved_it_stops_all_the_same(workspace: Path, tmp_path: Path) -> None:
    """``save_strategy="best"``: a step that is evaluated is saved only if it is the best."""
    best = {"save_strategy": "best", "eval_strategy": "steps", "eval_steps": 1, "metric_for_best_model": "loss"}
    project = drawn("sft", **best, greater_is_better=True, learning_rate=1e-2)
    ports = [port.name for port in flows.TRAINERS["sft"][0].in_ports]
    wire = {"parent node index": 1, "output port index": 0, "connected node": 2}
    project["flows"]["sft"]["connections"].append({**wire, "connected input port index": ports.index("eval_dataset")})
    _, said = stopped(flows.program(project, workspace), tmp_path, at(3))
    assert said == ["sft: stopped at step 3 of 6; the next run resumes from its newest checkpoint, of step 1"]


def test_a_stage_without_a_trainer_stops_at_the_next_forward_pass() -> None:
    import torch

    from ryven_llm_nodes.run.execute.stopping import Stop, stopping_models

    token, model = CancelToken(), torch.nn.Sequential(torch.nn.Linear(2, 2))
    with stopping_models(Stop(token).raise_if_set):
        before = model(torch.ones(1, 2))
        token.cancel()
        with pytest.raises(Cancelled):
            model(torch.ones(1, 2))
    assert torch.equal(model(torch.ones(1, 2)), before), "outside, nothing listens any more"
