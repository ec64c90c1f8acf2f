"""LLaMA-Factory's configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from reading_back import graph, told

from ryven_llm_nodes.catalogue import CPO, DPO, KTO, ORPO, PPO, SFT, TrainRewardModel
from ryven_llm_nodes.importing.files import Imported, imported

SFT_LORA = """
### model
model_name_or_path: meta-llama/Meta-Llama-3-8B-Instruct
trust_remote_code: true

### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all

### dataset
dataset: identity,alpaca_en_demo
template: llama3
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
dataloader_num_workers: 4

### output
output_dir: saves/llama3-8b/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
report_to: none

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
"""
INFO = {
    "identity": {"file_name": "identity.json"},
    "alpaca_en_demo": {"hf_hub_url": "llamafactory/alpaca_en", "columns": {"prompt": "question", "response": "reply"}},
    "talks": {"file_name": "talks.json", "formatting": "sharegpt"},
    "pairs": {"file_name": "pairs.json", "ranking": True},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout of LLaMA-Factory, with its table of datasets."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps(INFO))
    (tmp_path / "data" / "identity.json").write_text('[{"instruction": "hi", "input": "", "output": "hello"}]')
    return tmp_path


def read(folder: Path, text: str | dict[str, Any]) -> Imported:
    file = folder / "config.yaml"
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
    return imported(file, folder)


def test_an_example_of_llama_factory(folder: Path) -> None:
    """``examples/train_lora/llama3_lora_sft.yaml``."""
    found = read(folder, SFT_LORA)
    steps = graph(found, folder).by_name
    assert found.format == "LLaMA-Factory"
    assert steps["base"].given == {
        "path": "meta-llama/Meta-Llama-3-8B-Instruct", "trust_remote_code": True, "dtype": "bfloat16",
    }  # fmt: skip
    assert steps["dataset"].given == {"path": "data/identity.json", "limit": 1000}
    assert steps["dataset_2"].given == {"path": "llamafactory/alpaca_en", "limit": 1000}
    assert steps["mapped"].given == {"rename": {"question": "instruction", "reply": "output"}}
    assert steps["lora"].given == {"r": 8, "target_modules": "all-linear", "lora_alpha": 16}
    assert steps["saved_model"].given == {"folder": "sft"}
    assert steps["sft"].given == {
        "learning_rate": 1e-4, "weight_decay": 0.0, "warmup_steps": 0.1, "num_train_epochs": 3.0,
        "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8, "max_length": 2048,
        "dataset_num_proc": 16, "dataloader_num_workers": 4, "logging_steps": 10, "save_steps": 500,
        "report_to": "none", "lr_scheduler_type": "cosine", "bf16": True, "ddp_timeout": 180000000,
    }  # fmt: skip
    assert set(told(found)) == {"output_dir", "template"}


BASE = {"model_name_or_path": "model", "dataset": "pairs", "finetuning_type": "full"}


@pytest.mark.parametrize(
    ("given", "method", "settings"),
    [
        ({"stage": "pt", "dataset": "identity"}, SFT, {"max_length": 2048}),
        ({"stage": "rm"}, TrainRewardModel, {}),
        ({"stage": "dpo", "pref_beta": 0.2, "pref_loss": "ipo"}, DPO, {"beta": 0.2, "loss_type": "ipo"}),
        ({"stage": "dpo", "pref_loss": "orpo", "pref_beta": 0.2}, ORPO, {"beta": 0.2}),
        ({"stage": "dpo", "pref_loss": "simpo"}, CPO, {"loss_type": "simpo", "simpo_gamma": 0.5}),
        ({"stage": "kto", "kto_chosen_weight": 2.0}, KTO, {"desirable_weight": 2.0}),
        ({"stage": "ppo", "reward_model": "owner/judge", "dataset": "identity"}, PPO, {}),
    ],
)
def test_stages(given: dict[str, Any], method: Any, settings: dict[str, Any], folder: Path) -> None:
    steps = graph(read(folder, {**BASE, **given}), folder).steps
    (step,) = (step for step in steps if step.node is method)
    assert settings.items() <= step.given.items()


def test_conversations_stay_conversations(folder: Path) -> None:
    steps = graph(read(folder, {**BASE, "stage": "sft", "dataset": "talks"}), folder).by_name
    assert steps["converted"].given == {"target": "language modeling"}


def test_what_is_not_taken_over(folder: Path) -> None:
    left = {"pref_ftx": 1.0, "quantization_bit": 3, "finetuning_type": "freeze", "val_size": 100, "use_galore": True}
    lines = told(read(folder, {**BASE, "stage": "dpo", **left, "dataset": "unheard_of"}))
    assert set(lines) == {*left, "dataset"}
    assert "'unheard_of' is not in dataset_info.json" in lines["dataset"]
