"""The demo's flow, and its table of what each stage gained."""

from __future__ import annotations

from pathlib import Path

import flows

from ryven_llm_nodes.demo import story
from ryven_llm_nodes.demo.data import build_data
from ryven_llm_nodes.demo.evaluate import Comparison
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.project import write_project


def prepared(folder: Path) -> Path:
    """A folder as the demo prepares it, with a model that is none."""
    build_data(folder / "data")
    flows.write_hollow_model(folder / story.MODEL)
    write_project(story.demo_flow(), folder / story.FLOW)
    return folder


def test_the_flow_has_the_four_methods_in_order_and_no_problem(tmp_path: Path) -> None:
    program = build(read_flow(prepared(tmp_path) / story.FLOW))
    trainers = [step for step in program.steps if step.node.is_stage]
    assert [step.name for step in trainers] == ["sft", "ppo", "dpo", "grpo"]
    assert program.graph.by_name["dpo"].wires["reference"].step == "sft"
    assert program.graph.by_name["grpo"].given["reward_threshold"] == 0.7
    assert all("adapter" in step.wires for step in trainers)


def test_the_script_names_nothing_of_the_machine_it_was_written_on(tmp_path: Path) -> None:
    text = build(read_flow(prepared(tmp_path) / story.FLOW)).script.text
    assert str(tmp_path) not in text
    assert 'ROOT / "data/sft_train.jsonl"' in text


def test_every_stage_is_compared_with_the_model_that_entered_it(workspace: Path, tmp_path: Path) -> None:
    """Four times the same model: nothing changes, whatever is measured."""
    data = build_data(tmp_path)
    model = workspace / "model"
    gains = list(story.measure(model, dict.fromkeys(("sft", "ppo", "dpo", "grpo"), model), data))
    assert [gain.stage for gain in gains] == ["SFT", "PPO", "DPO", "GRPO"]
    assert [gain.comparison.difference for gain in gains] == [0.0] * 4
    assert not any(gain.shown for gain in gains)


def test_a_gain_is_shown_beyond_two_standard_errors_in_the_right_direction() -> None:
    up, down = Comparison(1.0, 2.0, 1.0, 0.4), Comparison(2.0, 1.0, -1.0, 0.4)
    small = Comparison(1.0, 1.5, 0.5, 0.4)
    shown = [story.Gain("X", "reward", 9, comparison).shown for comparison in (up, down, small)]
    assert shown == [True, False, False]
    assert story.Gain("X", "loss", 9, down, lower_is_better=True).shown
