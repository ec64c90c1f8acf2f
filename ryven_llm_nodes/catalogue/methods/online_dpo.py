"""Online DPO: preference pairs that the model samples itself, and a reward judges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number, whole
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import Limits, choices_of
from ryven_llm_nodes.catalogue.training.references import REFERENCE, copies_policy, reference_part
from ryven_llm_nodes.catalogue.training.sampling import REWARD, SAMPLING, SamplingTrainer
from ryven_llm_nodes.catalogue.training.stage import Part, tokenizer_part
from ryven_llm_nodes.catalogue.training.trainer import (
    ADAPTER,
    DATASET,
    FREQUENT,
    MODEL,
    WITHHELD,
    batch_size,
    learning_rate,
)

LIMITS: Final[Limits] = {
    **SAMPLING,
    "loss_type": choices_of("experimental/online_dpo/online_dpo_trainer", "loss_type"),
    "missing_eos_penalty": {"above": 0, "at_most": 1e6},
}
NOT_EVALUATED: Final = "TRL's Online DPO evaluates nothing while it trains; connect its model to Evaluate."


class OnlineDPO(SamplingTrainer):
    """Online direct preference optimization (arXiv 2402.04792): DPO on pairs that the model samples while it trains.

    Two completions per prompt are sampled; the one with the higher reward is the chosen one. Needs ``prompt``.
    Experimental in TRL: it may change or be removed there.
    """

    title = "Online DPO"
    stem = "online_dpo"
    position = 6
    tags = ["online", "dpo", "preference", "on-policy", "reward", "pairs", "oaif", "train", "rl"]
    config = ConfigClass(
        "OnlineDPOConfig", ("trl/experimental/online_dpo/online_dpo_config.py:OnlineDPOConfig",), LIMITS
    )
    trainer = "OnlineDPOTrainer"
    curves = ("objective/scores", "rewards/accuracies", "loss")
    head = "logits"
    quantizes = False
    loading = {"dtype": "float32", "device_map": None}
    imports = ("from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer",)
    frequent = ("temperature", *FREQUENT)
    in_ports = (MODEL, DATASET, REWARD, REFERENCE, ADAPTER)
    withheld = WITHHELD | {
        "reward_model_path": "is what is connected to reward.",
        **dict.fromkeys(("eval_strategy", "eval_on_start", "load_best_model_at_end"), NOT_EVALUATED),
    }
    parameters = (
        learning_rate(5e-7, "1e-7 to 5e-6 (LoRA: about ten times that)"),
        number(
            "beta",
            0.1,
            "How strongly the policy is kept close to the reference model.",
            above=0,
            at_most=1000,
            typical="0.1 to 0.5",
        ),
        whole("max_new_tokens", 64, "Tokens of a completion, at most.", at_least=1, typical="64 to 512"),
        batch_size(8),
    )

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        yield from reference_part(context)
        yield from super().own_parts(context)
        yield tokenizer_part(context)

    @classmethod
    def copies_policy(cls, context: NodeContext) -> bool:
        return copies_policy(context)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        if (new := context["max_new_tokens"]) >= (longest := context["max_length"]):
            yield "max_new_tokens", f"must be below max_length {longest}, or no prompt is left, got {new}."
