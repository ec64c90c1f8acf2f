"""A global batch size: what it writes, and what is refused before anything trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest

WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    (
        "sft",
        {"global_batch_size": 64, "per_device_train_batch_size": 8},
        3,
        "SFT 'sft' > global_batch_size: must be a multiple of the 24 rows that are taken at once "
        "(per_device_train_batch_size 8 x 3 processes), got 64. Use 48 or 72, or 1 or 2 processes.",
    ),
    (
        "dpo",
        {"global_batch_size": 6, "per_device_train_batch_size": 4},
        1,
        "DPO 'dpo' > global_batch_size: must be a multiple of the 4 rows that are taken at once "
        "(per_device_train_batch_size 4), got 6. Use 4 or 8, or per_device_train_batch_size 3.",
    ),
    (
        "sft",
        {"global_batch_size": 8, "per_device_train_batch_size": 8},
        2,
        "SFT 'sft' > global_batch_size: must be a multiple of the 16 rows that are taken at once "
        "(per_device_train_batch_size 8 x 2 processes), got 8. Use 16, or 1 processes.",
    ),
    (
        "sft",
        {"global_batch_size": 8, "gradient_accumulation_steps": 2},
        1,
        "SFT 'sft' > gradient_accumulation_steps: follows from global_batch_size 8; clear one of the two.",
    ),
    (
        "ppo",
        {"global_batch_size": 8, "steps_per_generation": 2},
        1,
        "PPO 'ppo' > steps_per_generation: counts batches of each process, and global_batch_size is set; set "
        "generation_batch_size, which counts those of all processes.",
    ),
    (
        "grpo",
        {"global_batch_size": 12, "num_generations": 8},
        1,
        "GRPO 'grpo' > num_generations: must divide the 12 completions per step (global_batch_size), got 8.",
    ),
]


@pytest.mark.parametrize(("method", "params", "processes", "said"), WRONG)
def test_what_cannot_be_shared_equally_is_refused(
    method: str, params: dict[str, Any], processes: int, said: str, data: Path
) -> None:
    drawn = flows.launched(flows.alone(method, **params), processes=processes)
    assert flows.problems(drawn, data) == [said]


def test_a_group_of_completions_may_be_larger_than_the_share_of_a_process(data: Path) -> None:
    drawn = flows.alone("grpo", global_batch_size=16, num_generations=16, per_device_train_batch_size=4)
    assert flows.problems(flows.launched(drawn, processes=4), data) == []


def test_its_text_is_the_same_for_any_number_of_processes(data: Path) -> None:
    drawn = flows.alone("sft", global_batch_size=16)
    one, two = (flows.program(drawn, data, processes).cells["sft"] for processes in (1, 2))
    assert one.definition == two.definition
    assert "**with_global_batch(DEVICE | settings | changes, 16))" in one.definition
    assert one.statement == two.statement
    assert "elastic(SFTTrainer)" in one.statement
    assert "elastic" not in flows.program(flows.alone("ppo", global_batch_size=16), data).script.text
