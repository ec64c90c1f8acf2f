"""Training that goes on after its end: begun so, gone on from, stopped mid-way, or run as a script, it is one."""

from __future__ import annotations

import hashlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from rotation import turn

from ryven_llm_nodes.run import CancelToken, Event, Outcome, run_program
from ryven_llm_nodes.run.events import Log, Progress, StageReused

STEPS, MORE = 4, 3
SAVED: dict[str, Any] = {"max_steps": STEPS, "save_strategy": "steps", "save_steps": 1, "warmup_steps": 2}
CASES = [*((method, False) for method in flows.METHODS), ("ppo", True)]


def drawn(method: str, lora: bool = False, **params: Any) -> flows.Project:
    """PPO and GRPO use each rollout twice."""
    rollout = {"num_iterations": 2} if method in ("ppo", "grpo") else {}
    return flows.alone(method, lora, **{**SAVED, **rollout, **params})


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def run(project: flows.Project, root: Path, output_dir: Path, stop_at: int = -1) -> tuple[Outcome, list[Event]]:
    token, events = CancelToken(), []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Progress) and event.done == stop_at:
            token.cancel()

    return run_program(flows.program(project, root), output_dir, listen, token), events


def steps(events: list[Event]) -> list[int]:
    return [event.done for event in events if isinstance(event, Progress)]


def run_script(project: flows.Project, root: Path, folder: Path, output_dir: Path) -> None:
    script = folder / "script.py"
    script.write_text(flows.program(project, root).script_for(folder).text)
    before = sys.argv
    sys.argv = [str(script), "--output-dir", str(output_dir)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before


@pytest.mark.parametrize(("method", "lora"), turn(CASES, 2), ids=str)
def test_it_is_one_thing(method: str, lora: bool, workspace: Path, tmp_path: Path) -> None:
    longer = drawn(method, lora, extra_steps=MORE)
    outcome, events = run(longer, workspace, tmp_path / "begun")
    assert outcome.error is None
    assert steps(events) == [0, 1, 2, 3, 4, 4, 5, 6, 7]

    run(drawn(method, lora), workspace, tmp_path / "gone-on")
    short = weights(tmp_path / "gone-on" / method)
    _, events = run(longer, workspace, tmp_path / "gone-on")
    assert steps(events) == [4, 5, 6, 7]
    assert f"{method}: continues from the cached stage without extra_steps" in [
        e.text for e in events if type(e) is Log
    ]

    assert run(longer, workspace, tmp_path / "stopped", stop_at=6)[0].status == "cancelled"
    _, events = run(longer, workspace, tmp_path / "stopped")
    assert steps(events)[0] in (4, 6), "from the newest checkpoint of the second part"

    run_script(longer, workspace, tmp_path, tmp_path / "script")
    found = {name: weights(tmp_path / name / method) for name in ("begun", "gone-on", "stopped", "script")}
    assert len(set(found.values())) == 1, found
    assert found["begun"] != short
    assert type(run(longer, workspace, tmp_path / "gone-on")[1][2]) is not Progress
    assert [e.step for e in run(longer, workspace, tmp_path / "begun")[1] if type(e) is StageReused] == [
        method,
        "final",
    ]


def test_the_rate_follows_a_schedule_over_the_whole(workspace: Path, tmp_path: Path) -> None:
    """4 + 3 steps, 2 of warmup: the second part begins at the rate of step 5 of 7, not at 0."""
    run(drawn("sft", extra_steps=MORE), workspace, tmp_path)
    lines = map(json.loads, (tmp_path / "sft/metrics.jsonl").read_text().splitlines())
    rates = [line["learning_rate"] * 1000 for line in lines if "learning_rate" in line]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0.6, 0.4, 0.2])


@pytest.mark.parametrize("strategy", ["epoch", "best"])
def test_whenever_checkpoints_are_written(strategy: str, workspace: Path, tmp_path: Path) -> None:
    """The end of the first part is always one: here it lies mid-epoch, and nothing is evaluated."""
    saved = {"save_strategy": "epoch", "max_steps": 3, "extra_steps": 2}
    if strategy == "best":
        saved |= {"save_strategy": "steps", "save_steps": 100}
    assert steps(run(drawn("sft", **saved), workspace, tmp_path)[1]) == [0, 1, 2, 3, 3, 4, 5]


def test_ended_early_and_kept_it_is_not_gone_on_from(workspace: Path, tmp_path: Path) -> None:
    """Stop and keep in the first part ends the stage; going on later makes up for what is missing of it."""
    token = CancelToken()

    def keep(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 2:
            token.keep()

    program = flows.program(drawn("sft", extra_steps=MORE), workspace)
    assert run_program(program, tmp_path / "kept", keep, token).status == "done"
    state = json.loads((tmp_path / "kept/sft/stage.json").read_text())["ended at"]
    assert state == [2, 4]

    token = CancelToken()
    run_program(flows.program(drawn("sft"), workspace), tmp_path / "plain", keep, token)
    _, events = run(drawn("sft", extra_steps=MORE), workspace, tmp_path / "plain")
    assert steps(events) == [2, 3, 4, 4, 5, 6, 7]
    run(drawn("sft", extra_steps=MORE), workspace, tmp_path / "whole")
    assert weights(tmp_path / "plain/sft") == weights(tmp_path / "whole/sft")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"max_steps": 6}, "max_steps was 4, is 6: retrained, since its learning-rate schedule differs; "),
        ({"max_steps": 2}, "max_steps was 4, is 2: retrained, since its learning-rate schedule differs; "),
        ({"warmup_steps": 1}, "warmup_steps was 2, is 1"),
        ({"lr_scheduler_type": "constant"}, "lr_scheduler_type was the default, is 'constant'"),
    ],
)
def test_another_length_is_another_training(params: Any, said: str, workspace: Path, tmp_path: Path) -> None:
    """What is there afterwards is what a fresh run makes, and not the longer or shorter model of before."""
    run(drawn("sft"), workspace, tmp_path / "changed")
    before = weights(tmp_path / "changed/sft")
    _, events = run(drawn("sft", **params), workspace, tmp_path / "changed")
    run(drawn("sft", **params), workspace, tmp_path / "fresh")
    assert weights(tmp_path / "changed/sft") == weights(tmp_path / "fresh/sft") != before
    (line,) = [e.text for e in events if type(e) is Log and e.text.startswith("sft: ")]
    assert line.startswith(f"sft: {said}")
    assert ("set extra_steps" in line) == ("max_steps" in params)


def test_fewer_extra_steps_are_another_training(workspace: Path, tmp_path: Path) -> None:
    run(drawn("sft", extra_steps=MORE), workspace, tmp_path)
    _, events = run(drawn("sft", extra_steps=1), workspace, tmp_path)
    assert steps(events) == [0, 1, 2, 3, 4, 4, 5]


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_an_end_mid_rollout_is_refused(method: str, workspace: Path, tmp_path: Path) -> None:
    outcome, events = run(drawn(method, max_steps=3, extra_steps=1), workspace, tmp_path)
    assert steps(events) == []
    assert str(outcome.error) == (
        f"{method.upper()} '{method}' > extra_steps: cannot continue mid-rollout: 3 steps x 1 "
        "gradient_accumulation_steps = 3 batches, and a rollout is used for 1 steps_per_generation x 2 num_iterations "
        "= 2. Set max_steps so that the first is a multiple of the second."
    )


def test_a_script_refuses_it_before_the_first_step(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of 3 steps with 1 batches each, the last one is mid-rollout"):
        run_script(drawn("grpo", max_steps=3, extra_steps=1), workspace, tmp_path, tmp_path / "out")
    assert not list((tmp_path / "out").glob("grpo/checkpoints/checkpoint-*"))


def test_what_it_needs(data: Path) -> None:
    drawn_without = flows.alone("sft", extra_steps=1, save_strategy="no")
    assert flows.problems(drawn_without, data) == [
        "SFT 'sft' > extra_steps: continues from a checkpoint, but save_strategy is 'no'; set it to steps or epoch."
    ]
    half = flows.alone("sft", extra_steps=1, save_strategy="steps", save_only_model=True)
    assert "save_only_model leaves out" in flows.problems(half, data)[0]
    assert "at least 0" in flows.problems(flows.alone("sft", extra_steps=-1), data)[0]
