"""Metrics and rollouts of the user's in a run: what they are given and where it ends, and the same from the script."""

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
from rotation import turn

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    SFT,
    LoadDataset,
    MetricsFunction,
    RewardFunction,
    RolloutFunction,
    TrainRewardModel,
)
from ryven_llm_nodes.run import run_program

MARGIN = '''def margin_again(prediction):
    """Of one batch: the chosen ones first, then the rejected ones."""
    scores = prediction.predictions.squeeze(-1)
    half = len(scores) // 2
    return {"margin_again": float((scores[:half] - scores[half:]).mean())}
'''
SHAPES = '''def shapes(prediction):
    """The numbers of sequences of logits and of labels."""
    return {"logits": len(prediction.predictions), "labels": len(prediction.label_ids)}
'''
FIXED = '''def fixed(prompts, trainer):
    """The same completion for each prompt, and a number for the reward."""
    ids = trainer.processing_class(" yes")["input_ids"]
    asked = trainer.processing_class(list(prompts))["input_ids"]
    logprobs = [[0.0] * len(ids)] * len(prompts)
    return {
        "prompt_ids": asked, "completion_ids": [ids] * len(prompts), "logprobs": logprobs,
        "turns": [float(i) for i in range(len(prompts))],
    }
'''
TURNS = '''def of_turns(completions, turns, **kwargs):
    """What the rollout says."""
    assert set(completions) == {" yes"}
    return turns
'''
EVALUATED = {"eval_strategy": "steps", "eval_steps": 1, "per_device_eval_batch_size": 16}


def measured(kind: type, **metrics: Any) -> flows.Project:
    """A trainer whose evaluations are measured by a function."""
    rows = node(LoadDataset, path="sft.jsonl" if kind is SFT else "pairs.jsonl")
    nodes = {"base": flows.BASE, "rows": rows, "own": node(MetricsFunction, **metrics)}
    wires = "base -> t, rows -> t.dataset, rows -> t.eval_dataset, own -> t"
    return flows.draw(wires, **nodes, t=node(kind, **flows.FAST, **EVALUATED))


def sampled(rows: str = "chats.jsonl", reward: str = flows.REWARD, **rollout: Any) -> flows.Project:
    """GRPO on completions that a function samples."""
    nodes = {"base": flows.BASE, "rows": node(LoadDataset, path=rows), "own": node(RolloutFunction, **rollout)}
    nodes["scored"] = node(RewardFunction, code=reward)
    settings = {**flows.ROLLOUT, "num_generations": 4, "reward_threshold": None}
    return flows.draw("base -> t, rows -> t, scored -> t, own -> t", **nodes, t=node(GRPO, **settings))


def ran(drawn: flows.Project, place: Path, out: Path) -> list[dict[str, float]]:
    assert run_program(flows.program(drawn, place), out).error is None
    return [json.loads(line) for line in (out / "t" / "metrics.jsonl").read_text().splitlines()]


CASES = {"metrics": lambda: measured(SFT), "rollout": sampled}


@pytest.mark.slow
@pytest.mark.parametrize("given", turn(sorted(CASES), 2))
def test_the_script_ends_with_the_weights_of_the_run(given: str, workspace: Path, tmp_path: Path) -> None:
    program = flows.program(CASES[given](), workspace)
    assert run_program(program, tmp_path / "run").error is None
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path).text, encoding="utf-8")
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), "--output-dir", str(tmp_path / "script")]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    files = (tmp_path / where / "t" / "model.safetensors" for where in ("run", "script"))
    of_run, of_script = (hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    assert of_run == of_script
    assert of_run != hashlib.sha256((workspace / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_metrics_are_logged_and_right(workspace: Path, tmp_path: Path) -> None:
    """The template is a measure that TRL has too; evaluations change no weight."""
    lines = [line for line in ran(measured(SFT), workspace, tmp_path / "with") if "eval_token_accuracy" in line]
    assert len(lines) == 2
    for line in lines:
        assert line["eval_token_accuracy"] == pytest.approx(line["eval_mean_token_accuracy"])


@pytest.mark.parametrize("method", turn(["dpo", "judge"], 2))
def test_what_preferences_are_measured_by(method: str, workspace: Path, tmp_path: Path) -> None:
    if method == "judge":
        (line, _) = [x for x in ran(measured(TrainRewardModel, code=MARGIN), workspace, tmp_path) if "eval_loss" in x]
        assert line["eval_margin_again"] == pytest.approx(line["eval_margin"], rel=1e-4)
    else:
        (line, _) = [x for x in ran(measured(DPO, code=SHAPES), workspace, tmp_path) if "eval_loss" in x]
        assert (line["eval_logits"], line["eval_labels"]) == (32, 32), "16 pairs"


def test_a_rollout_says_what_is_rewarded(workspace: Path, tmp_path: Path) -> None:
    """Its further keys are arguments of the reward, each prompt comes as often as it needs completions."""
    line = ran(sampled("prompts.jsonl", TURNS, code=FIXED), workspace, tmp_path)[0]
    assert line["reward"] == pytest.approx(1.5), "four completions of one prompt: 0, 1, 2, 3"


def test_a_result_that_lacks_a_key_is_an_error_of_the_stage(workspace: Path, tmp_path: Path) -> None:
    code = "def nothing(prompts, trainer):\n    return {'prompt_ids': [], 'completion_ids': []}"
    error = run_program(flows.program(sampled(code=code), workspace), tmp_path).error
    assert "GRPO 't'" in str(error)
    assert "rollout_func must return keys ['logprobs']" in str(error)
