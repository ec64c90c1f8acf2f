"""Axolotl's configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from reading_back import graph, told

from ryven_llm_nodes.catalogue import CPO, DPO, GRPO, KTO, ORPO, SFT, TrainRewardModel
from ryven_llm_nodes.importing.files import Imported, imported

QLORA = """
base_model: NousResearch/Meta-Llama-3.1-8B
load_in_4bit: true
strict: false
datasets:
  - path: rows.jsonl
    type: alpaca
dataset_prepared_path: last_run_prepared
val_set_size: 0.05
output_dir: ./outputs/qlora-out
sequence_len: 4096
sample_packing: true
adapter: qlora
lora_r: 32
lora_alpha: 16
lora_dropout: 0.05
lora_target_linear: true
wandb_project: mine
gradient_accumulation_steps: 8
micro_batch_size: 2
num_epochs: 4
optimizer: adamw_8bit
lr_scheduler: cosine
learning_rate: 2e-4
bf16: auto
tf32: false
gradient_checkpointing: true
flash_attention: true
warmup_ratio: 0.1
evals_per_epoch: 4
saves_per_epoch: 1
weight_decay: 0.0
special_tokens:
  pad_token: "<|end_of_text|>"
"""


def read(folder: Path, text: str | dict[str, Any]) -> Imported:
    file = folder / "axolotl.yml"
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
    return imported(file, folder)


def test_an_example_of_axolotl(data: Path) -> None:
    """The QLoRA example of its documentation."""
    found = read(data, QLORA)
    steps = graph(found, data).by_name
    assert found.format == "Axolotl"
    assert steps["base"].given == {
        "path": "NousResearch/Meta-Llama-3.1-8B", "attn_implementation": "flash_attention_2", "dtype": "bfloat16",
        "quantization": "4-bit",
    }  # fmt: skip
    assert steps["converted"].given == {"source": "alpaca", "form": "standard"}
    assert steps["split"].given == {"test_size": 0.05}
    assert steps["lora"].given == {"r": 32, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": "all-linear"}
    assert steps["saved_model"].given == {"folder": "qlora-out"}
    assert steps["sft"].given == {
        "gradient_accumulation_steps": 8, "learning_rate": 2e-4, "weight_decay": 0.0, "tf32": False,
        "max_length": 4096, "packing": True, "per_device_train_batch_size": 2, "num_train_epochs": 4,
        "optim": "adamw_8bit", "lr_scheduler_type": "cosine", "warmup_steps": 0.1, "gradient_checkpointing": True,
        "pad_token": "<|end_of_text|>", "report_to": "wandb", "eval_strategy": "steps", "eval_steps": 0.0625,
        "save_strategy": "epoch",
    }  # fmt: skip
    assert told(found) == {
        "output_dir": "note: the model is saved as 'qlora-out' in the output folder of the run.",
        "wandb_project": "warning: is not stored in a flow; set the environment variable WANDB_PROJECT.",
    }


BASE = {"base_model": "model", "micro_batch_size": 2, "datasets": [{"path": "owner/rows", "type": "chat_template"}]}


@pytest.mark.parametrize(
    ("given", "method", "settings"),
    [
        ({}, SFT, {"assistant_only_loss": True}),
        ({"train_on_inputs": True}, SFT, {"completion_only_loss": False}),
        ({"rl": "dpo", "rl_beta": 0.3}, DPO, {"beta": 0.3}),
        ({"rl": "ipo"}, DPO, {"loss_type": "ipo"}),
        ({"rl": "kto", "kto_desirable_weight": 0.2}, KTO, {"desirable_weight": 0.2}),
        ({"rl": "orpo", "orpo_alpha": 0.2}, ORPO, {"beta": 0.2}),
        ({"rl": "simpo", "simpo_gamma": 0.7}, CPO, {"loss_type": "simpo", "simpo_gamma": 0.7, "cpo_alpha": 0.0}),
        ({"reward_model": True}, TrainRewardModel, {}),
    ],
)
def test_methods(given: dict[str, Any], method: Any, settings: dict[str, Any], data: Path) -> None:
    (step,) = (step for step in graph(read(data, {**BASE, **given}), data).steps if step.node is method)
    assert settings.items() <= step.given.items()


def test_grpo(data: Path) -> None:
    trl = {"num_generations": 4, "max_completion_length": 64, "beta": 0.01, "reward_weights": [1.0, 2.0]}
    trl["reward_funcs"] = ["mine.one", "mine.other"]
    found = read(data, {**BASE, "rl": "grpo", "trl": {**trl, "vllm_nonsense": 1}})
    steps = graph(found, data).by_name
    assert steps["grpo"].node is GRPO
    assert {"num_generations": 4, "max_completion_length": 64, "beta": 0.01}.items() <= steps["grpo"].given.items()
    assert steps["rewards"].given == {"weight_1": 1.0, "weight_2": 2.0}
    assert told(found)["trl.vllm_nonsense"] == "warning: is no field of GRPOConfig; leave it out."


@pytest.mark.parametrize(
    ("entry", "kinds"),
    [
        ({"type": "chat_template"}, ["Load Dataset"]),
        ({"type": "chat_template", "field_messages": "conversations"}, ["Load Dataset", "Convert Format"]),
        ({"type": "chat_template", "field_messages": "turns"}, ["Load Dataset", "Map Columns"]),
        ({"type": "completion"}, ["Load Dataset"]),
        ({"type": "completion", "field": "body"}, ["Load Dataset", "Map Columns"]),
        ({"type": "oasst"}, ["Load Dataset", "Convert Format"]),
        ({"type": {"field_instruction": "q"}}, ["Load Dataset"]),
    ],
)
def test_datasets(entry: dict[str, Any], kinds: list[str], data: Path) -> None:
    found = read(data, {**BASE, "datasets": [{"path": "owner/rows", **entry}]})
    steps = graph(found, data).steps
    assert [step.node.title for step in steps if step.node.accent == "dataset"] == kinds


def test_what_is_not_taken_over(data: Path) -> None:
    left = {"plugins": ["x"], "chat_template": "llama3", "adapter": "llama-adapter", "rl": "nonsense", "lisa": 3}
    lines = told(read(data, {**BASE, **left}))
    assert set(lines) == set(left)
    assert all(line.startswith("warning: ") for line in lines.values())
