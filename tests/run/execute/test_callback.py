"""What the callback of a run does in a single step, without a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

INFINITE = float("inf")


def gradient_of(norm: float, folder: Path, **settings: Any) -> Any:
    """Lets the callback see a step whose gradient has this norm."""
    import torch
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from ryven_llm_nodes.run.execute.callback import FiniteGradients

    callback = FiniteGradients(folder)
    callback._norm = torch.tensor(norm)
    arguments = TrainingArguments(str(folder), use_cpu=True, bf16=False)
    for name, value in settings.items():  # which a machine without a GPU would refuse
        object.__setattr__(arguments, name, value)
    callback.on_pre_optimizer_step(arguments, TrainerState(), TrainerControl())
    return callback


@pytest.mark.parametrize("norm", [INFINITE, float("nan")])
def test_under_fp16_a_gradient_that_is_not_finite_is_usual(norm: float, tmp_path: Path) -> None:
    """Its scaler leaves such a step out, and tries a smaller scale; without it the stage ends."""
    from ryven_llm_nodes.errors import Explained

    assert gradient_of(norm, tmp_path, fp16=True)._norm is None, "the next step is judged by its own gradient"
    with pytest.raises(Explained, match=r"the gradient is (infinite|not a number \(NaN\)) at step 1, so"):
        gradient_of(norm, tmp_path, fp16=False)


def test_a_finite_gradient_is_let_through(tmp_path: Path) -> None:
    assert gradient_of(3.5, tmp_path, fp16=False)._norm is None
