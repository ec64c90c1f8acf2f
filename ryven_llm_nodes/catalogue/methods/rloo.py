"""RLOO: REINFORCE leave-one-out."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.sampling import SAMPLING, SamplingTrainer, group_complaints, group_size
from ryven_llm_nodes.catalogue.training.trainer import batch_size, learning_rate


class RLOO(SamplingTrainer):
    """REINFORCE leave-one-out (arXiv 2402.14740): reinforces completions that beat the others of the same prompt.

    Several completions per prompt are sampled; the baseline of each is the mean reward of the others. There is no
    value model, and a completion is one action, so that long ones need no discount.
    """

    title = "RLOO"
    stem = "rloo"
    position = 5
    tags = ["rloo", "reinforce", "leave-one-out", "policy", "reward", "train", "rl"]
    config = ConfigClass("RLOOConfig", ("trl/trainer/rloo_config.py:RLOOConfig",), SAMPLING)
    trainer = "RLOOTrainer"
    curves = ("reward", "kl", "loss")
    imports = ("from trl import RLOOConfig, RLOOTrainer",)
    parameters = (
        learning_rate(1e-6, "1e-7 to 2e-6 (LoRA: about ten times that)"),
        number("beta", 0.05, "Weight of the KL penalty against the reference model.", at_least=0, typical="0 to 0.1"),
        number("epsilon", 0.2, "Clip range of the policy ratio.", above=0, below=1, typical="0.1 to 0.2"),
        batch_size(8),
        group_size(),
    )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        yield from group_complaints(context)
