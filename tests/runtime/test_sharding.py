"""What is saved is counted; parts are gathered and set. Two processes that do so: run/test_sharding.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

from ryven_llm_nodes.runtime.sharding import gathered, require_all_weights, set_gathered


def test_weights_of_a_saved_model_are_counted(workspace: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(workspace / "model")
    model.save_pretrained(tmp_path)
    require_all_weights(model, tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    missing = weights.pop("model.norm.weight").numel()
    save_file(weights, file, metadata={"format": "pt"})
    wanted = model.num_parameters()
    with pytest.raises(RuntimeError, match=f"holds {wanted - missing} weights, and the trained model has {wanted}"):
        require_all_weights(model, tmp_path)
    file.unlink()
    with pytest.raises(RuntimeError, match="holds 0 weights"):
        require_all_weights(model, tmp_path)


def test_tied_weights_are_counted_once(workspace: Path, tmp_path: Path) -> None:
    config = AutoModelForCausalLM.from_pretrained(workspace / "model").config
    config.tie_word_embeddings = True
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path)
    require_all_weights(model, tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")


def test_a_parameter_of_one_process_is_itself() -> None:
    parameter = nn.Parameter(torch.zeros(3))
    set_gathered(parameter, torch.arange(3.0))
    assert gathered(parameter).tolist() == parameter.tolist() == [0, 1, 2]
