"""Early stopping: training ends when evaluations no longer improve, and its best checkpoint is the model."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadDataset, RewardFunction
from ryven_llm_nodes.run import CancelToken, Event, run_program
from ryven_llm_nodes.run.events import Progress

STEPS = {"max_steps": 60, "eval_steps": 5, "early_stopping": 2, "learning_rate": 3e-2, "lr_scheduler_type": "constant"}
SETTINGS = {name: value for name, value in flows.FAST.items() if name != "save_strategy"} | STEPS


def overfitting(**params: Any) -> flows.Project:
    """SFT that learns its rows by heart, and is evaluated on others."""
    held_out = node(LoadDataset, path="sft.jsonl", split="train[12:]")
    nodes = {"base": flows.BASE, "rows": node(LoadDataset, path="sft.jsonl", split="train[:4]"), "held_out": held_out}
    wires = "base -> sft, rows -> sft.dataset, held_out -> sft.eval_dataset"
    return flows.draw(wires, "early", **nodes, sft=node(SFT, **{**SETTINGS, **params}))


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def losses(folder: Path) -> dict[int, float]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["eval_loss"] for line in lines if "eval_loss" in line}


@pytest.mark.slow
def test_it_ends_early_with_the_best_checkpoint_and_the_script_does_the_same(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(overfitting(), workspace)
    assert run_program(program, tmp_path / "run").error is None
    found = losses(tmp_path / "run" / "sft")
    best = min(found, key=lambda step: found[step])
    assert max(found) == best + 10 < 60  # two evaluations later
    best_one = tmp_path / "run" / "sft" / "checkpoints" / f"checkpoint-{best}"
    assert weights(tmp_path / "run" / "sft") == weights(best_one)
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path, lean=True).text, encoding="utf-8")
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), "--output-dir", str(tmp_path / "script")]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert weights(tmp_path / "script" / "sft") == weights(tmp_path / "run" / "sft")


def test_stopped_and_run_again_it_counts_on(workspace: Path, tmp_path: Path) -> None:
    program = flows.program(overfitting(), workspace)
    assert run_program(program, tmp_path / "once").error is None
    end = max(losses(tmp_path / "once" / "sft"))
    token = CancelToken()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done == end - 3:  # between the last two evaluations
            token.cancel()

    assert run_program(program, tmp_path / "twice", stop, token).status == "cancelled"
    assert run_program(program, tmp_path / "twice").status == "done"
    assert losses(tmp_path / "twice" / "sft") == losses(tmp_path / "once" / "sft")
    assert weights(tmp_path / "twice" / "sft") == weights(tmp_path / "once" / "sft")


def test_methods_that_sample_are_judged_by_their_reward(workspace: Path, tmp_path: Path) -> None:
    """Of two evaluations the one with the higher reward counts."""
    settings = {name: value for name, value in flows.ROLLOUT.items() if name != "save_strategy"}
    settings |= {"num_generations": 4, "max_steps": 4, "eval_steps": 2, "early_stopping": 3, "reward_threshold": None}
    few = node(LoadDataset, path="prompts.jsonl", limit=4)
    nodes = {
        "base": flows.BASE,
        "rows": flows.ROWS["ppo"],
        "few": few,
        "variety": node(RewardFunction, code=flows.REWARD),
    }
    wires = "base -> grpo, rows -> grpo.dataset, few -> grpo.eval_dataset, variety -> grpo"
    program = flows.program(flows.draw(wires, **nodes, grpo=node(GRPO, **settings)), workspace)
    assert run_program(program, tmp_path).error is None
    lines = list(map(json.loads, (tmp_path / "grpo" / "metrics.jsonl").read_text().splitlines()))
    rewards = {line["step"]: line["eval_reward"] for line in lines if "eval_reward" in line}
    best = max(rewards, key=lambda step: rewards[step])
    assert set(rewards) == {2, 4}
    assert weights(tmp_path / "grpo") == weights(tmp_path / "grpo" / "checkpoints" / f"checkpoint-{best}")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"extra_steps": 5}, "ends a training that extra_steps would continue"),
        ({"save_strategy": "no"}, "must be 'steps' or 'epoch' with early_stopping, got 'no'"),
        ({"load_best_model_at_end": False}, "is what early_stopping sets"),
    ],
)
def test_settings_that_contradict_it(params: dict[str, Any], said: str, data: Path) -> None:
    assert any(said in problem for problem in flows.problems(overfitting(**params), data))


def test_it_needs_rows_to_evaluate_on(data: Path) -> None:
    drawn = flows.draw(
        "base -> dpo, rows -> dpo", base=flows.BASE, rows=flows.ROWS["dpo"], dpo=node(DPO, early_stopping=2)
    )
    assert any("early_stopping: is decided by evaluations" in problem for problem in flows.problems(drawn, data))


def test_one_switch_sets_all_that_it_needs_and_nothing_else_that_was_set(data: Path) -> None:
    found = flows.settings(overfitting(save_total_limit=7), data, "sft")
    assert {"eval_strategy": "steps", "eval_steps": 5, "save_steps": 5}.items() <= found.items()
    assert found["load_best_model_at_end"] is True
    assert found["save_total_limit"] == 7
    without = flows.settings(overfitting(early_stopping=None), data, "sft")
    assert "load_best_model_at_end" not in without
