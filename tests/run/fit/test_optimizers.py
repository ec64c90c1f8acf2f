"""The state of optimizers, compared with that of real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Trainer, TrainingArguments

from ryven_llm_nodes.run.fit.optimizers import state_bytes

NAMES = ["adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"]


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_as_large_as_the_real_one(name: str, tmp_path: Path) -> None:
    settings = TrainingArguments(output_dir=str(tmp_path), optim=name, use_cpu=True, bf16=False, report_to="none")
    model = torch.nn.Linear(300, 300)
    kind, options = Trainer.get_optimizer_cls_and_kwargs(settings, model)
    optimizer = kind(model.parameters(), **options)
    model(torch.ones(1, 300)).sum().backward()
    optimizer.step()
    state = [value for values in optimizer.state.values() for value in values.values() if torch.is_tensor(value)]
    expected = sum(value.nbytes for value in state)
    trained = sum(parameter.nbytes for parameter in model.parameters())
    assert state_bytes(settings, trained) == pytest.approx(expected, abs=0.01 * trained)
