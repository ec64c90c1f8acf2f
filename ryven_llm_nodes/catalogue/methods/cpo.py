"""CPO and SimPO: preference optimization without a reference model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import choice, number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import NOT_NEGATIVE, Limits
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
    "label_smoothing": {"at_least": 0, "below": 1},
    "simpo_gamma": NOT_NEGATIVE,
    "alpha": NOT_NEGATIVE,
}
LOSSES: Final = ("sigmoid", "hinge", "ipo", "simpo", "alphapo")


class CPO(Trainer):
    """Contrastive preference optimization (arXiv 2401.08417) and SimPO (arXiv 2405.14734), without a reference model.

    Needs ``prompt``, ``chosen`` and ``rejected``. Experimental in TRL: it may change or be removed there.
    """

    title = "CPO / SimPO"
    stem = "cpo"
    position = 8
    tags = ["cpo", "simpo", "alphapo", "contrastive", "preference", "pairs", "reference-free", "train"]
    config = ConfigClass("CPOConfig", ("trl/experimental/cpo/cpo_config.py:CPOConfig",), LIMITS)
    trainer = "CPOTrainer"
    curves = ("rewards/accuracies", "loss")
    sequences = ("chosen", "rejected")
    head = "logits"
    quantizes = False
    imports = ("from trl.experimental.cpo import CPOConfig, CPOTrainer",)
    columns = (("prompt", "chosen", "rejected"),)
    in_ports = (MODEL, DATASET, ADAPTER, EVAL)
    parameters = (
        learning_rate(1e-6, "3e-7 to 1e-6 (LoRA: about ten times that)"),
        choice("loss_type", "sigmoid", LOSSES, "The loss: sigmoid, hinge and ipo are CPO; simpo; alphapo."),
        number("beta", 0.1, "Scale of the rewards.", above=0, at_most=1000, typical="0.1; SimPO 2 to 2.5"),
        number("cpo_alpha", 1.0, "Weight of the likelihood of the chosen completion; SimPO: 0.", at_least=0),
        batch_size(8),
    )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        if context["loss_type"] in ("ipo", "hinge") and context["label_smoothing"]:
            yield "label_smoothing", f"is not used by loss_type {context['loss_type']!r}; clear it."
