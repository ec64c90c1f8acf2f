"""DPO: direct preference optimization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import COUNT, NOT_NEGATIVE, SHARE, Limits, choices_of
from ryven_llm_nodes.catalogue.training.losses import DPO_LOSSES, losses_of
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
    FREQUENT,
    MODEL,
    Trainer,
    batch_size,
    learning_rate,
)
from ryven_llm_nodes.catalogue.training.trainer_functions import METRICS
from ryven_llm_nodes.errors import shown

LIMITS: Final[Limits] = {
    "loss_type": losses_of("trainer/dpo_trainer", DPO_LOSSES, types=(list, str), items=(str,)),
    "loss_weights": {"items": (float,)},
    "train_sampling_strategy": {"choices": ("random", "sequential")},  # the others need the length of one text per row
    "f_divergence_type": choices_of("trainer/dpo_trainer", "f_divergence_type"),
    "truncation_mode": choices_of("trainer/dpo_trainer", "truncation_mode"),
    "ld_alpha": SHARE,
    "label_smoothing": {"at_least": 0, "below": 1},
    "precompute_ref_batch_size": COUNT,
    "ref_model_mixup_alpha": SHARE,
    "ref_model_sync_steps": COUNT,
    "router_aux_loss_coef": NOT_NEGATIVE,
}
DIVERGENT: Final = {"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"}
"""The losses of DPO that support other divergences; a test compares them with TRL's."""


class DPO(Trainer):
    """Direct preference optimization (arXiv 2305.18290): learns from pairs of a chosen and a rejected completion.

    Needs ``prompt``, ``chosen`` and ``rejected``; the prompt may also be implicit, the common prefix of both.
    """

    title = "DPO"
    stem = "dpo"
    position = 3
    tags = ["dpo", "preference", "direct", "chosen", "rejected", "pairs", "train"]
    config = ConfigClass("DPOConfig", ("trl/trainer/dpo_config.py:DPOConfig",), LIMITS)
    trainer = "DPOTrainer"
    resumes_on_any = True
    curves = ("loss",)
    sequences = ("chosen", "rejected")
    imports = ("from trl import DPOConfig, DPOTrainer",)
    columns = (("prompt", "chosen", "rejected"), ("chosen", "rejected"))
    frequent = ("loss_type", "loss_weights", *FREQUENT)
    in_ports = (MODEL, DATASET, REFERENCE, ADAPTER, EVAL, METRICS)
    parameters = (
        learning_rate(5e-6, "1e-7 to 5e-6 (LoRA: about ten times that)"),
        number(
            "beta",
            0.1,
            "How strongly the policy is kept close to the reference model.",
            above=0,
            at_most=1000,
            typical="0.1 to 0.5",
        ),
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
        yield from _losses(context)
        yield from reference_complaints(context)


def _losses(context: NodeContext) -> Iterator[Complaint]:
    """Several losses may be combined."""
    given = context.given.get("loss_type", ["sigmoid"])
    losses, weights = given if isinstance(given, list) else [given], context["loss_weights"]
    if not losses:
        yield "loss_type", "is empty; give at least one loss, such as 'sigmoid'."
    if weights is not None and len(weights) != len(losses):
        yield "loss_weights", f"needs one weight for each loss of loss_type ({len(losses)}), got {shown(weights)}."
    if "exo_pair" in losses and not context["label_smoothing"]:
        yield "loss_type", "'exo_pair' needs label_smoothing above 0. Typical: 0.001."
    if context["use_weighting"] and {"aot", "aot_unpaired"} & set(losses):
        yield "use_weighting", "does not work with the losses 'aot' and 'aot_unpaired'; clear it, or use another loss."
    if context["f_divergence_type"] != "reverse_kl" and (wrong := sorted(set(losses) - DIVERGENT)):
        yield "f_divergence_type", f"must be 'reverse_kl' with the loss {', '.join(map(repr, wrong))}."
