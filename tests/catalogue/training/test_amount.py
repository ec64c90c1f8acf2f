"""A stage that makes no step never passes for trained, and one that hardly warms up is warned of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue.training.amount import Amount
from ryven_llm_nodes.errors import Remedy
from ryven_llm_nodes.run import Event, Outcome, run_program
from ryven_llm_nodes.run.events import Progress, Warned
from ryven_llm_nodes.run.records.history import past_runs

FEW = {"per_device_train_batch_size": 8, "max_steps": -1, "num_train_epochs": 1}


def with_rows(drawn: flows.Project, method: str, rows: int) -> flows.Project:
    placed = next(n for n in drawn["flows"][method]["nodes"] if n["additional data"]["name"] == "rows")
    placed["additional data"]["params"]["limit"] = rows
    return drawn


def run(drawn: flows.Project, root: Path, output_dir: Path) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return run_program(flows.program(drawn, root), output_dir, events.append), events


ROLLOUT = "Use more rows, or lower per_device_train_batch_size or gradient_accumulation_steps."
CASES: list[tuple[str, dict[str, Any], int, str]] = [
    (
        "ppo",
        {"gradient_accumulation_steps": 2},
        15,
        "PPO 'ppo' > per_device_train_batch_size: a rollout takes 16 prompts (batch size 8 x steps_per_generation 2), "
        f"but the dataset has 15: no optimizer step would be made. {ROLLOUT}",
    ),
    (
        "grpo",
        {"steps_per_generation": 4, "num_generations": 2},
        15,
        "GRPO 'grpo' > per_device_train_batch_size: a rollout takes 16 prompts (batch size 8 x steps_per_generation 4 "
        f"/ num_generations 2), but the dataset has 15: no optimizer step would be made. {ROLLOUT}",
    ),
    *(
        (
            method,
            {"dataloader_drop_last": True},
            7,
            f"{method.upper()} '{method}' > dataloader_drop_last: only full batches of 8 rows are used, but the "
            "dataset has 7: no optimizer step would be made. Use more rows, or lower per_device_train_batch_size or "
            "clear dataloader_drop_last.",
        )
        for method in ("sft", "dpo")
    ),
]


@pytest.mark.parametrize(("method", "params", "rows", "said"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("more", [{}, {"max_steps": 3}], ids=["epochs", "steps"])
def test_too_few_rows(
    more: dict[str, Any], method: str, params: dict[str, Any], rows: int, said: str, workspace: Path, tmp_path: Path
) -> None:
    """However long it is to train: an epoch without a batch ends it."""
    drawn = with_rows(flows.alone(method, **FEW | params | more), method, rows)
    outcome, events = run(drawn, workspace, tmp_path)
    assert str(outcome.error).split("\n") == [said]
    assert not any(isinstance(event, Progress) for event in events)


@pytest.mark.parametrize(("method", "params", "rows", "said"), CASES, ids=[case[0] for case in CASES])
def test_enough_rows(
    method: str, params: dict[str, Any], rows: int, said: str, workspace: Path, tmp_path: Path
) -> None:
    """One more, and it makes exactly as many steps as is said beforehand."""
    outcome, events = run(with_rows(flows.alone(method, **FEW | params), method, rows + 1), workspace, tmp_path)
    assert outcome.error is None
    assert max(event.total for event in events if isinstance(event, Progress)) >= 1
    assert max(event.done for event in events if isinstance(event, Progress)) >= 1


def test_no_step_is_never_done(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rows are lost only on the way, the stage itself says so."""
    monkeypatch.setattr(Amount, "findings", lambda self: iter(()))
    drawn = with_rows(flows.alone("ppo", **FEW | {"max_steps": 3}), "ppo", 3)
    outcome, _ = run(drawn, workspace, tmp_path)
    assert outcome.status == "failed"
    assert str(outcome.error) == (
        "PPO 'ppo': ValueError: no optimizer step was made, so nothing was learned: the 3 remaining "
        "rows do not fill one batch of 8. Use more rows, or lower per_device_train_batch_size or "
        "gradient_accumulation_steps."
    )
    assert not (tmp_path / "ppo/model.safetensors").exists()


@pytest.mark.slow
def test_the_script_says_the_same(workspace: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    program = flows.program(with_rows(flows.alone("ppo", **FEW | {"max_steps": 3}), "ppo", 3), workspace)
    script.write_text(program.script_for(tmp_path).text)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "ValueError: no optimizer step was made, so nothing was learned: the 3 remaining rows" in done.stderr


class TestWarmup:
    def test_longer_than_the_run(self, workspace: Path, tmp_path: Path) -> None:
        """The node's own default of 500 steps, on 16 rows."""
        drawn = flows.alone("sft", **FEW | {"num_train_epochs": 2.5, "warmup_steps": 500})
        outcome, events = run(drawn, workspace, tmp_path)
        assert outcome.status == "done"
        (warned,) = (event for event in events if isinstance(event, Warned))
        assert warned == Warned(
            "sft",
            "warmup_steps",
            "SFT 'sft' > warmup_steps: 500 warmup steps, but only 5 steps in total: the learning rate reaches 1 % of "
            "0.001. Set 0.1 (a fraction), or train longer.",
            remedy=Remedy("warmup_steps", 0.1, "sft"),
        )
        assert past_runs(tmp_path)[0].warnings == [warned.text]
        total = max(event.total for event in events if isinstance(event, Progress))
        assert total == 5, "as many as it was told beforehand"

    @pytest.mark.parametrize(
        ("params", "share"),
        [
            ({"warmup_steps": 4}, None),
            ({"warmup_steps": 5}, "80 %"),
            ({"warmup_steps": 0.1}, None),
            ({"warmup_steps": 0}, None),
            ({"warmup_steps": 500, "lr_scheduler_type": "constant"}, None),
            ({"warmup_steps": 500, "lr_scheduler_type": "constant_with_warmup"}, "1 %"),
            ({"warmup_steps": 0.1, "max_steps": 1}, "0 %"),
        ],
    )
    def test_the_share_that_is_reached(self, params: dict[str, Any], share: str | None, data: Path) -> None:
        from trl import SFTConfig

        config = SFTConfig("out", use_cpu=True, bf16=False, **{"max_steps": 5, **params})
        program = flows.program(flows.alone("sft"), data)
        found = list(Amount(program.context(program.graph.by_name["sft"]), config, rows=8).findings())
        assert {finding.weight for finding in found} <= {"warning"}
        assert [f"reaches {share} of" in finding.message for finding in found] == ([] if share is None else [True])


@pytest.mark.parametrize(
    ("settings", "rows", "total"),
    [
        ({}, 9, 6),
        ({"dataloader_drop_last": True}, 9, 4),
        ({"gradient_accumulation_steps": 2}, 9, 4),
        ({"max_steps": 3}, 9, 3),
        ({"packing": True}, 9, None),
        ({"steps_per_generation": 2, "generation_batch_size": 8, "num_generations": 2, "num_iterations": 3}, 9, 24),
        ({"world_size": 3}, 9, 2),
    ],
)
def test_how_many_steps(settings: dict[str, Any], rows: int, total: int | None, data: Path) -> None:
    """Two epochs of batches of four."""
    base = {"max_steps": -1, "num_train_epochs": 2, "train_batch_size": 4, "world_size": 1}
    base |= {"gradient_accumulation_steps": 1, "dataloader_drop_last": False}
    program = flows.program(flows.alone("sft"), data)
    assert (
        Amount(program.context(program.graph.by_name["sft"]), SimpleNamespace(**base | settings), rows).total == total
    )
