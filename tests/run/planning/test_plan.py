"""Plans of flows: what fits, what is chosen, up to 70 B weights on 64 GPUs."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import DPO, GRPO, SFT, LoadModel, LoRA, OnlineDPO, RewardFunction
from ryven_llm_nodes.run.examine.opened import opened
from ryven_llm_nodes.run.planning.hardware import cluster
from ryven_llm_nodes.run.planning.plan import StagePlan, plan

LARGE = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}
"""Llama 3 of 70 B weights."""


@pytest.fixture(scope="module")
def place(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny tokenizer and rows, and the configuration of a large model without weights."""
    from transformers import LlamaConfig

    folder = tmp_path_factory.mktemp("planning")
    for file in workspace.glob("*.jsonl"):
        shutil.copy(file, folder)
    shutil.copytree(workspace / "model", folder / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    LlamaConfig(**LARGE, pad_token_id=0, eos_token_id=1).save_pretrained(folder / "model")
    (folder / "model/model.safetensors").touch()
    return folder


@cache
def planned(place: Path, gpus: str, kind: Any, lora: bool = False, **settings: Any) -> StagePlan:
    nodes = {
        "base": flows.node(LoadModel, path="model", dtype="bfloat16"),
        "rows": flows.ROWS["ppo" if kind is OnlineDPO else kind.stem],
        "stage": flows.node(kind, **{"max_steps": 100, "per_device_train_batch_size": 1, **settings}),
        **({"lora": flows.node(LoRA)} if lora else {}),
        **({"reward": flows.node(RewardFunction, code=flows.REWARD)} if kind in (GRPO, OnlineDPO) else {}),
    }
    wires = ["base -> stage", "rows -> stage", *(f"{name} -> stage" for name in ("lora", "reward") if name in nodes)]
    with opened(flows.program(flows.draw(", ".join(wires), **nodes), place)) as there:
        (found,) = plan(there, cluster(gpus))
    return found


def test_a_large_model_is_spread_over_enough_gpus(place: Path) -> None:
    few, many = planned(place, "8xH100", SFT), planned(place, "64xH100", SFT)
    assert few.weights == pytest.approx(70.55e9, rel=0.01)
    assert few.chosen is None
    assert {option.strategy for option in many.options if option.fits} == {"fsdp2", "zero3"}
    assert many.chosen is not None
    states = sum(many.chosen.parts[name] for name in ("weights", "gradients", "optimizer"))
    assert states == pytest.approx(70.55e9 * (2 + 2 + 4) / 64, rel=0.01), "all in bfloat16, as the model is loaded"
    assert many.seconds == 100 * many.chosen.seconds > 0
    assert many.main_memory == pytest.approx(8 * 2 * 70.55e9, rel=0.01)


def test_an_adapter_takes_little_besides_the_weights(place: Path) -> None:
    found = planned(place, "8xH100", SFT, lora=True)
    assert found.chosen is not None
    assert found.chosen.strategy in ("fsdp2", "zero3")
    full = planned(place, "64xH100", SFT)
    by_name = {option.strategy: option for option in found.options}
    assert by_name["ddp"].traffic < 0.01 * {option.strategy: option for option in full.options}["ddp"].traffic


def test_a_reference_is_read_and_held(place: Path) -> None:
    alone, compared = planned(place, "64xH100", SFT), planned(place, "64xH100", DPO)
    assert compared.options[0].parts["reference"] == pytest.approx(alone.options[0].parts["weights"])
    adapted = planned(place, "8xH100", DPO, lora=True)
    assert "reference" not in adapted.options[0].parts


def test_generating_with_weights_that_are_spread_is_slow(workspace: Path) -> None:
    found = planned(workspace, "8xH100", GRPO, num_generations=2, gradient_accumulation_steps=2)
    assert found.chosen is not None
    assert found.chosen.strategy in ("ddp", "zero2")
    seconds = {option.strategy: option.seconds for option in found.options}
    assert seconds["fsdp2"] > 5 * seconds["ddp"]
    assert planned(workspace, "1xH100", SFT).options[0].strategy == "one"


def test_the_length_of_completions_counts_whatever_its_field_is_called(workspace: Path) -> None:
    short, long = (planned(workspace, "1xH100", OnlineDPO, max_new_tokens=length) for length in (8, 64))
    assert long.tokens == short.tokens + 56


def test_a_global_batch_is_shared_by_all_gpus(workspace: Path) -> None:
    own = {"max_steps": -1, "num_train_epochs": 3, "global_batch_size": 8, "per_device_train_batch_size": 1}
    one, four = (planned(workspace, gpus, SFT, **own) for gpus in ("1xH100", "4xH100"))
    assert (one.steps, one.tokens) == (four.steps, 4 * four.tokens)


def test_epochs_become_steps(workspace: Path) -> None:
    found = planned(workspace, "2xA100", SFT, max_steps=-1, num_train_epochs=3, gradient_accumulation_steps=2)
    with opened(flows.program(flows.alone("sft"), workspace)) as there:
        rows = len(there.dataset(there.program.graph.by_name["sft"]))
    assert found.steps == round(3 * rows / (1 * 2 * 2))
