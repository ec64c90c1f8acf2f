"""KTO: Kahneman-Tversky optimization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import COUNT, NOT_NEGATIVE, SHARE, Limits, choices_of
from ryven_llm_nodes.catalogue.training.references import (
    REFERENCE,
    copies_policy,
    reference_complaints,
    reference_part,
)
from ryven_llm_nodes.catalogue.training.stage import Part
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
    "loss_type": choices_of("trainer/kto_trainer", "loss_type"),
    "train_sampling_strategy": {"choices": ("random", "sequential")},
    "precompute_ref_batch_size": COUNT,
    "ref_model_mixup_alpha": SHARE,
    "ref_model_sync_steps": COUNT,
    "router_aux_loss_coef": NOT_NEGATIVE,
}
WITHOUT_KL: Final = "apo_zero_unpaired"


class KTO(Trainer):
    """Kahneman-Tversky optimization (arXiv 2402.01306): learns from completions that are marked good or bad.

    Needs ``prompt``, ``completion`` and ``label``, which is true for a completion to learn from.
    """

    title = "KTO"
    stem = "kto"
    position = 6
    tags = ["kto", "preference", "unpaired", "label", "good", "bad", "train"]
    config = ConfigClass("KTOConfig", ("trl/trainer/kto_config.py:KTOConfig",), LIMITS)
    trainer = "KTOTrainer"
    imports = ("from trl import KTOConfig, KTOTrainer",)
    curves = ("rewards/margins", "loss")
    sequences = ("completion",)
    columns = (("prompt", "completion", "label"),)
    in_ports = (MODEL, DATASET, REFERENCE, ADAPTER, EVAL)
    parameters = (
        learning_rate(1e-6, "5e-7 to 5e-6 (LoRA: about ten times that)"),
        number("beta", 0.1, "How strongly the policy is kept close to the reference model.", above=0, at_most=1000),
        number("desirable_weight", 1.0, "Weight of the completions to learn from.", at_least=0, typical="1 to 1.33"),
        number("undesirable_weight", 1.0, "Weight of the others.", at_least=0, typical="1 to 1.33"),
        batch_size(8),
    )

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        yield from reference_part(context)

    @classmethod
    def copies_policy(cls, context: NodeContext) -> bool:
        return copies_policy(context)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        yield from reference_complaints(context)
        yield from _neighbours(context)


def _neighbours(context: NodeContext) -> Iterator[Complaint]:
    """The KL is estimated on the other rows of a batch, which are chosen before the first step."""
    if context["loss_type"] == WITHOUT_KL:
        return
    if context["per_device_train_batch_size"] < 2:
        yield "per_device_train_batch_size", f"must be at least 2, or loss_type {WITHOUT_KL!r}."
    if context["train_sampling_strategy"] != "sequential":
        yield "train_sampling_strategy", f"must be 'sequential', or loss_type {WITHOUT_KL!r}."
