"""Each setting trains, or is refused before training in a line that names it: a part of all of them, by date.

All of them are tried by hand and before a release: see ``every_setting.py``.
"""

from __future__ import annotations

import datetime
import os
import random
from pathlib import Path

import every_setting
import flows
import pytest
from every_setting import DONE, OTHER, Result, Trial, run_all, table, trials

SHARE = 30
"""Trials of one day, some tens of seconds; two hundred days try each value of each field about once."""
SLOW = {*every_setting.SLOW, "dataloader_num_workers", "dataset_num_proc"}


def _today() -> list[Trial]:
    day = int(os.environ.get("RYVEN_LLM_SWEEP_DAY", datetime.datetime.now(datetime.UTC).toordinal()))
    quick = [trial for trial in trials() if trial.field not in SLOW]
    random.Random(0).shuffle(quick)
    start = day * SHARE % len(quick)
    return (quick + quick)[start : start + SHARE]


@pytest.mark.slow
def test_a_part_of_all_settings() -> None:
    results = list(run_all(_today()))
    assert len(results) == SHARE
    assert [result for result in results if result.outcome == OTHER] == [], table(results)


KNOWN = [  # values that ended a run after earlier stages had been trained
    *(Trial(method, "seed", -1) for method in flows.METHODS),
    *(Trial(method, "lr_scheduler_type", "cosin") for method in flows.METHODS),
    *(Trial(method, "loss_type", "foo") for method in ("sft", "dpo", "grpo")),
    *(Trial(method, "report_to", "wandb") for method in flows.METHODS),
    *(Trial(method, "optim", "adamw_bnb_8bit") for method in flows.METHODS),
    *(Trial(method, "use_liger_kernel", True) for method in flows.METHODS),
    *(Trial(method, "eval_strategy", "steps") for method in flows.METHODS),
    *(Trial(method, "dataloader_persistent_workers", True) for method in flows.METHODS),
    *(Trial(method, "tf32", True) for method in flows.METHODS),
    *(Trial(method, field, value) for method in ("ppo", "grpo") for field, value in (
        ("temperature", 0.0),
        ("max_completion_length", 0),
        ("importance_sampling_level", "bar"),
        ("cache_implementation", "foo"),
        ("reward_weights", [1.0, 2.0]),
        ("use_vllm", True),
    )),
    Trial("grpo", "scale_rewards", "foo"),
    Trial("sft", "padding_free", True),
    Trial("sft", "assistant_only_loss", True),
    Trial("sft", "eos_token", "<nowhere>"),
    Trial("sft", "lr_scheduler_kwargs", {"no_such_key": 1}),
]  # fmt: skip
WORKING = [
    Trial("dpo", "loss_type", "hinge"),
    Trial("dpo", "loss_type", ["sigmoid", "sft"]),
    Trial("grpo", "scale_rewards", False),
    Trial("grpo", "log_completions", True),
    Trial("ppo", "log_completions", True),
    Trial("grpo", "reward_threshold", None),
    Trial("sft", "lr_scheduler_type", "cosine"),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> every_setting.Bench:
    return every_setting.Bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("trial", KNOWN, ids=lambda t: f"{t.method}.{t.field}")
def test_is_refused_by_name(bench: every_setting.Bench, trial: Trial) -> None:
    result: Result = bench.run(trial)
    assert result.outcome in (every_setting.CHECK, every_setting.BEFORE), result
    assert f"> {trial.field}: " in result.told


@pytest.mark.parametrize("trial", WORKING, ids=lambda t: f"{t.method}.{t.field}={t.value}")
def test_works(bench: every_setting.Bench, trial: Trial) -> None:
    assert bench.run(trial) == Result(trial, DONE)


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_logged_completions_are_kept(workspace: Path, tmp_path: Path, method: str) -> None:
    """TRL makes their folder when the trainer is made, before what a crash has left is swept away."""
    from ryven_llm_nodes.run import run_program

    settings = {"log_completions": True, "save_strategy": "steps", "save_steps": 1, "logging_steps": 1}
    program = flows.program(flows.alone(method, **settings), workspace)
    assert run_program(program, tmp_path).error is None
    assert list((tmp_path / method).rglob("completions/*.parquet"))
