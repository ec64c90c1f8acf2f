"""TPO: triple preference optimization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import NOT_NEGATIVE, Limits, choices_of
from ryven_llm_nodes.catalogue.training.trainer import (
    ADAPTER,
    DATASET,
    EVAL,
    MODEL,
    Trainer,
    batch_size,
    learning_rate,
)

LIMITS: Final[Limits] = {
    "loss_type": choices_of("experimental/tpo/tpo_trainer", "loss_type"),
    "label_smoothing": {"at_least": 0, "below": 0.5},
    "tpo_alpha": NOT_NEGATIVE,
}


class TPO(Trainer):
    """Triple preference optimization (arXiv 2405.16681): learns from pairs and from a reference completion.

    Needs ``prompt``, ``chosen``, ``rejected`` and ``reference``, the completion to imitate.
    """

    title = "TPO"
    stem = "tpo"
    position = 10
    tags = ["tpo", "preference", "triple", "reference", "pairs", "train"]
    config = ConfigClass("TPOConfig", ("trl/experimental/tpo/tpo_config.py:TPOConfig",), LIMITS)
    trainer = "TPOTrainer"
    imports = ("from trl.experimental.tpo import TPOConfig, TPOTrainer",)
    curves = ("rewards/margins", "loss")
    sequences = ("chosen", "rejected", "reference")
    columns = (("prompt", "chosen", "rejected", "reference"),)
    in_ports = (MODEL, DATASET, ADAPTER, EVAL)
    parameters = (
        learning_rate(5e-7, "5e-7 to 5e-6 (LoRA: about ten times that)"),
        number("beta", 0.01, "Temperature of the preference loss.", above=0, at_most=1000, typical="0.01 to 0.1"),
        number("tpo_alpha", 1.0, "Weight of the likelihood of the reference completion.", at_least=0),
        batch_size(8),
    )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        if context["label_smoothing"] and context["loss_type"] != "sigmoid":
            yield "label_smoothing", f"is not used by loss_type {context['loss_type']!r}; clear it."
