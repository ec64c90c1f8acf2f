"""The parts of the memory of stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import PPO, LoadModel, LoRA, RewardModel
from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.fit.estimate import Estimate, estimates
from ryven_llm_nodes.run.fit.workload import loaded_config


def estimated(drawn: flows.Project, root: Path) -> dict[str, Estimate]:
    with opened(flows.program(drawn, root)) as there:
        return {step.name: found for step, found in estimates(there, lambda model: loaded_config(model, root))}


def test_every_stage_of_a_chain_with_its_reference(workspace: Path) -> None:
    found = estimated(flows.chain(), workspace)
    assert list(found) == list(flows.METHODS)
    weights = found["sft"].parts["weights"]
    assert found["sft"].parts["optimizer"] == 2 * found["sft"].parts["gradients"] == 2 * weights
    assert [found[name].parts.get("reference", 0) for name in flows.METHODS] == [0, weights, weights, 0]
    assert [bool(found[name].parts.get("generation")) for name in flows.METHODS] == [False, True, False, True]


def test_with_an_adapter_the_connected_reference_stays_and_copies_go(workspace: Path) -> None:
    found = estimated(flows.chain(lora=True), workspace)
    assert [bool(found[name].parts.get("reference")) for name in flows.METHODS] == [False, False, True, False]
    assert all(one.parts["gradients"] < one.parts["weights"] / 3 for one in found.values())


def test_a_reward_model_and_a_critic_of_its_own(workspace: Path) -> None:
    drawn = flows.draw(
        "base -> ppo, rows -> ppo, judge -> ppo",
        base=flows.node(LoadModel, path="model", dtype="bfloat16"),
        rows=flows.ROWS["ppo"],
        judge=flows.node(RewardModel, path="model"),
        ppo=flows.node(PPO, **flows.ROLLOUT, value_model="separate"),
    )
    (found,) = estimated(drawn, workspace).values()
    language = found.parts["reference"]
    assert language < found.parts["weights"] < 2 * language  # with the critic, which has no head
    assert language < found.parts["reward model"] < 2 * language  # in float32, but for its smaller head


def test_the_peak_is_while_training_or_while_sampling() -> None:
    parts = {"weights": 100, "gradients": 100, "optimizer": 200, "activations": 50}
    assert Estimate(parts).peak == 450
    assert Estimate(parts | {"generation": 149}).peak == 450
    assert Estimate(parts | {"generation": 400, "reference": 7}).peak == 707


@pytest.mark.parametrize(("settings", "is_less"), [({"optim": "sgd"}, True), ({"optim": "adamw_torch"}, False)])
def test_the_optimizer_that_is_set(settings: dict[str, str], is_less: bool, workspace: Path) -> None:
    (found,) = estimated(flows.alone("sft", **settings), workspace).values()
    assert (found.parts["optimizer"] == 0) == is_less


def test_weights_in_few_bits(workspace: Path) -> None:
    bits: dict[str, dict[str, Any]] = {"none": {}, "8-bit": {}, "4-bit": {}}
    for quantization in bits:
        base = flows.node(LoadModel, path="model", quantization=quantization)
        drawn = flows.draw(
            "base -> sft, rows -> sft, lora -> sft",
            base=base,
            rows=flows.ROWS["sft"],
            lora=flows.node(LoRA),
            sft=flows.TRAINERS["sft"],
        )
        (found,) = estimated(drawn, workspace).values()
        bits[quantization] = dict(found.parts)
    layers = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64)
    weights = {name: parts.pop("weights") for name, parts in bits.items()}
    assert weights["none"] - weights["8-bit"] == layers * (4 - 1 - 1 / 16)
    assert weights["8-bit"] - weights["4-bit"] == layers / 2
    assert bits["none"] == bits["4-bit"]
