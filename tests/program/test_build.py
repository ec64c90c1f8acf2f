"""The check: everything that is wrong, at once, each in a line that names node, parameter, value and remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flows import BASE, METHODS, REWARD, ROLLOUT, ROWS, alone, chain, draw, graph, node, problems, program

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    ORPO,
    PPO,
    SFT,
    ExportScript,
    LoadDataset,
    LoadModel,
    LoRA,
    RewardFunction,
    SaveModel,
)
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import build


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_flows_without_problems(method: str, lora: bool, data: Path) -> None:
    assert problems(alone(method, lora), data) == []
    assert problems(chain(lora), data) == []


def test_all_problems_of_all_nodes_at_once(data: Path) -> None:
    drawn = draw(
        "base -> sft, rows -> sft, sft -> align, sft -> final",
        base=node(LoadModel, path="./none"),
        rows=node(LoadDataset, path="prompts.jsonl", limit=0),
        lora=node(LoRA, r=0),
        modules=node(LoRA, target_modules=[]),
        score=node(RewardFunction, code="def ("),
        sft=node(SFT, learning_rate=-1, warmup=3),
        align=node(DPO, beta=-1),
        final=node(SaveModel, folder=""),
        script=node(ExportScript, path=3),
    )
    assert sorted(line.split(": ")[0] for line in problems(drawn, data)) == [
        "DPO 'align' > beta",
        "DPO 'align' > dataset",
        "Export Script 'script' > path",
        "LoRA 'lora' > r",
        "LoRA 'modules' > target_modules",
        "Load Dataset 'rows' > limit",
        "Load Model 'base' > path",
        "Reward Function 'score' > code",
        "SFT 'sft' > learning_rate",
        "SFT 'sft' > warmup",
        "Save Model 'final' > folder",
    ]


def test_the_example_of_the_design(data: Path) -> None:
    drawn = alone("dpo", beta=-1)
    assert problems(drawn, data) == ["DPO 'dpo' > beta: must be greater than 0, got -1. Typical: 0.1 to 0.5."]


def test_a_problem_finds_its_node_again(data: Path) -> None:
    with pytest.raises(FlowError) as caught:
        build(graph(alone("sft", learning_rate=-1), data))
    (problem,) = caught.value.problems
    assert (problem.step, problem.parameter, problem.node) == ("sft", "learning_rate", "SFT 'sft'")


def test_a_missing_wire(data: Path) -> None:
    drawn = draw("base -> ppo, rows -> ppo", base=BASE, rows=ROWS["ppo"], ppo=node(PPO))
    assert problems(drawn, data) == ["PPO 'ppo' > reward: this input is not connected; connect a reward to it."]


def test_a_cycle_hides_no_other_problem(data: Path) -> None:
    drawn = draw(
        "a -> b, b -> a, rows -> a, rows -> b",
        a=node(SFT),
        b=node(SFT, seed=-1.5),
        rows=ROWS["sft"],
        lora=node(LoRA, r=0),
    )
    found = problems(drawn, data)
    assert "SFT 'a': its output leads back to itself (a -> b -> a); remove one of these wires." in found
    assert any("'b' > seed" in line for line in found)
    assert any("'lora' > r" in line for line in found)


def test_an_empty_flow(data: Path) -> None:
    assert problems(draw(), data) == ["flow.json: the flow is empty; add a Load Model node and a trainer."]


def test_several_problems_of_one_node(data: Path) -> None:
    rows = node(LoadDataset, path="text.jsonl")
    nodes = {"base": BASE, "rows": rows, "variety": node(RewardFunction, code=REWARD)}
    grpo = node(GRPO, **ROLLOUT, num_generations=3)
    found = problems(draw("base -> grpo, rows -> grpo, variety -> grpo", **nodes, grpo=grpo), data)
    assert [line.split(": ")[0] for line in found] == ["GRPO 'grpo' > dataset", "GRPO 'grpo' > num_generations"]


def test_what_a_step_with_a_problem_feeds_is_not_reported_again(data: Path) -> None:
    (wrong,) = problems(draw("base -> sft, rows -> sft", base=node(LoadModel), rows=ROWS["sft"], sft=node(SFT)), data)
    assert wrong.startswith("Load Model 'base' > path: ")


def test_a_model_read_by_two_is_the_same_for_both(data: Path) -> None:
    cells = program(chain(), data).cells
    assert "model=sft," in cells["ppo"].statement
    assert "ref_model=partial(AutoModelForCausalLM.from_pretrained, sft, " in cells["dpo"].statement
    assert "model=ppo," in cells["dpo"].statement


def test_steps_run_in_order(data: Path) -> None:
    made = program(chain(), data)
    assert [step.name for step in made.steps if step.node.is_stage] == ["sft", "ppo", "dpo", "grpo"]


def test_what_leaves_nothing_and_needs_nothing_that_is_left_is_a_value(data: Path) -> None:
    made = program(chain(), data)
    assert made.later == {*METHODS, "final"}
    assert {step.name for step in made.steps} - made.later == {"base", "variety", *(f"{m}_rows" for m in METHODS)}


class Gone(ORPO):
    """A method that the installed TRL does not have."""

    title = "Gone"
    config = ConfigClass("GoneConfig", ("trl/experimental/gone/gone_config.py:GoneConfig",))


def test_a_method_that_the_installed_library_does_not_have_is_one_problem_at_its_node(data: Path) -> None:
    drawn = draw("base -> orpo, rows -> orpo", base=BASE, rows=ROWS["dpo"], orpo=node(ORPO))
    found = graph(drawn, data)
    steps = tuple(replace(step, node=Gone) if step.name == "orpo" else step for step in found.steps)
    with pytest.raises(FlowError) as caught:
        build(replace(found, steps=steps))
    (problem,) = caught.value.problems
    assert str(problem).startswith("Gone 'orpo': needs GoneConfig, which trl 1.")
    assert str(problem).endswith("the installed version, does not have; install trl>=1.16,<1.17.")
    assert "beta" in Gone.all_parameters()
    assert ORPO.unavailable() == ""
