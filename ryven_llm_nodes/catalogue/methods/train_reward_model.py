"""Train Reward Model: a classifier that scores the chosen completion of a pair above the rejected one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, call, literal
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import Limits
from ryven_llm_nodes.catalogue.training.stage import Part
from ryven_llm_nodes.catalogue.training.trainer import (
    ADAPTER,
    DATASET,
    EVAL,
    MODEL,
    Trainer,
    batch_size,
    epochs,
    learning_rate,
)
from ryven_llm_nodes.catalogue.training.trainer_functions import METRICS
from ryven_llm_nodes.catalogue.values import AdapterValue, ModelValue, RewardPart, RewardValue, Value

LIMITS: Final[Limits] = {"center_rewards_coefficient": {"at_least": 0, "at_most": 1e6}}
TRAINED: Final = Port("reward", "reward", help="The trained reward model, as a reward for PPO, GRPO and RLOO.")


class TrainRewardModel(Trainer):
    """A reward model from preference pairs (Bradley and Terry, as in InstructGPT, arXiv 2203.02155).

    A language model gets a head with one output, and learns to score ``chosen`` above ``rejected``. What comes out is
    a reward, which PPO, GRPO and RLOO take.
    """

    title = "Train Reward Model"
    stem = "judge"
    position = 2
    tags = ["reward", "model", "preference", "pairs", "bradley", "terry", "score", "rlhf", "train"]
    config = ConfigClass("RewardConfig", ("trl/trainer/reward_config.py:RewardConfig",), LIMITS)
    trainer = "RewardTrainer"
    resumes_on_any = True
    curves = ("accuracy", "margin", "loss")
    sequences = ("chosen", "rejected")
    head = "scores"
    imports = ("from trl import RewardConfig, RewardTrainer",)
    columns = (("prompt", "chosen", "rejected"), ("chosen", "rejected"))
    in_ports = (MODEL, DATASET, ADAPTER, EVAL, METRICS)
    out_ports = (TRAINED,)
    parameters = (
        learning_rate(1e-5, "1e-6 to 5e-5 (LoRA: about ten times that)"),
        batch_size(8),
        epochs(1.0, "1 to 2"),
    )

    @classmethod
    def left(cls, context: NodeContext, model: ModelValue) -> Mapping[str, Value]:
        """A reward callable over the folder of the stage, which scores texts as they were prepared for training."""
        name = literal(context.name)
        expression = call("RewardModel", model.expression, name=name, add_eos="True")
        imports = (f"from {RUNTIME}.rewards import RewardModel",)
        part = RewardPart(expression=expression, symbol="RewardModel", owner=context.name, imports=imports)
        return {TRAINED.name: RewardValue(expression=model.expression, parts=(part,))}

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        yield from ()

    @classmethod
    def adapter_parts(cls, context: NodeContext) -> Iterator[Part]:
        """The head is new, so it is trained in full next to the adapter, and saved with it."""
        for part in super().adapter_parts(context):
            adapter = context.inputs["adapter"]
            assert isinstance(adapter, AdapterValue)
            keywords = {**part.keywords, "peft_config": call("with_score_head", adapter.expression)}
            yield Part(keywords, (*part.imports, f"from {RUNTIME}.adapters import with_score_head"))
