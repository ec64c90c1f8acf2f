"""ORPO: odds ratio preference optimization."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.trainer import (
    ADAPTER,
    DATASET,
    EVAL,
    MODEL,
    Trainer,
    batch_size,
    learning_rate,
)


class ORPO(Trainer):
    """Odds ratio preference optimization (arXiv 2403.07691): supervised fine-tuning and preference in one, without a
    reference model.

    Needs ``prompt``, ``chosen`` and ``rejected``. Experimental in TRL: it may change or be removed there.
    """

    title = "ORPO"
    stem = "orpo"
    position = 7
    tags = ["orpo", "odds", "ratio", "preference", "pairs", "reference-free", "train"]
    config = ConfigClass("ORPOConfig", ("trl/experimental/orpo/orpo_config.py:ORPOConfig",))
    trainer = "ORPOTrainer"
    curves = ("rewards/accuracies", "loss")
    sequences = ("chosen", "rejected")
    head = "logits"
    quantizes = False
    imports = ("from trl.experimental.orpo import ORPOConfig, ORPOTrainer",)
    columns = (("prompt", "chosen", "rejected"),)
    in_ports = (MODEL, DATASET, ADAPTER, EVAL)
    parameters = (
        learning_rate(1e-6, "1e-6 to 1e-5 (LoRA: about ten times that)"),
        number("beta", 0.1, "Weight of the odds ratio loss.", above=0, at_most=1000, typical="0.1 to 0.25"),
        batch_size(8),
    )
