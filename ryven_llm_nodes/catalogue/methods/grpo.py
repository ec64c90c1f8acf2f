"""GRPO: group relative policy optimization, and its reward-penalized form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Seen
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter, number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import Limits
from ryven_llm_nodes.catalogue.training.losses import GRPO_LOSSES, losses_of
from ryven_llm_nodes.catalogue.training.references import reference_complaints
from ryven_llm_nodes.catalogue.training.sampling import (
    SAMPLING,
    SamplingTrainer,
    group_complaints,
    group_size,
    reward_list,
    wrong_weights,
)
from ryven_llm_nodes.catalogue.training.stage import Part
from ryven_llm_nodes.catalogue.training.tool_calling import ENVIRONMENT, TOOLS, tool_findings, tool_part
from ryven_llm_nodes.catalogue.training.trainer import batch_size, learning_rate
from ryven_llm_nodes.catalogue.training.trainer_functions import ROLLOUT
from ryven_llm_nodes.catalogue.values import RewardValue

LIMITS: Final[Limits] = {**SAMPLING, "loss_type": losses_of("trainer/grpo_trainer", GRPO_LOSSES)}


class GRPO(SamplingTrainer):
    """Group relative policy optimization (arXiv 2402.03300); with a reward threshold, its reward-penalized form.

    Several completions per prompt are sampled; each is reinforced by how far its reward exceeds the group's mean.
    With a *reward threshold* t this node is what its users call Generalized Reward-Penalized Optimization: a
    completion with reward r of at least t keeps r, one below is penalised by its shortfall and gets r - t, before the
    group-relative advantage is taken. An empty threshold is plain Group Relative Policy Optimization.
    """

    title = "GRPO"
    stem = "grpo"
    position = 4
    tags = ["grpo", "group", "relative", "policy", "reward", "threshold", "penalized", "rlvr", "train", "rl"]
    config = ConfigClass("GRPOConfig", ("trl/trainer/grpo_config.py:GRPOConfig",), LIMITS)
    trainer = "GRPOTrainer"
    frequent = (*SamplingTrainer.frequent, "loss_type")
    in_ports = (*SamplingTrainer.in_ports, TOOLS, ENVIRONMENT, ROLLOUT)
    curves = ("raw_reward", "reward", "loss")
    imports = ("from trl import GRPOConfig, GRPOTrainer",)
    parameters = (
        learning_rate(2e-6, "1e-7 to 2e-6 (LoRA: about ten times that)"),
        number("epsilon", 0.1, "Clip range of the policy ratio.", above=0, below=1, typical="0.1 to 0.2"),
        Parameter(
            name="reward_threshold",
            types=(float, type(None)),
            default=0.7,
            help="A completion whose reward r is below this t gets r - t instead of r; empty: plain GRPO.",
            typical="0.5 to 0.9 of the highest reward",
            empty="off: plain GRPO",
        ),
        batch_size(8),
        group_size(),
    )

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        """With a threshold the weighted sum is taken before TRL sees the rewards."""
        if context["reward_threshold"] is None:
            yield from super().own_parts(context)
        else:
            yield _shaped(context)
        yield from tool_part(context)

    @classmethod
    def remark(cls, given: Mapping[str, JSON]) -> str:
        threshold = given.get("reward_threshold", cls.all_parameters()["reward_threshold"].default)
        return "" if threshold is None else f"threshold {threshold}"

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        yield from reference_complaints(context)
        yield from group_complaints(context)

    @classmethod
    def read(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        yield from super().read(context, seen)
        yield from tool_findings(context, seen)

    @classmethod
    def reward_complaints(cls, context: NodeContext, reward: RewardValue) -> Iterator[Complaint]:
        if context["reward_threshold"] is None:
            yield from super().reward_complaints(context, reward)
            return
        if any(part.is_async for part in reward.parts):
            yield "reward_threshold", "works with synchronous functions only; rewrite the async reward, or clear this."
        yield from wrong_weights(context, 1)


def _shaped(context: NodeContext) -> Part:
    """The rewards, below the threshold less their shortfall."""
    reward = context.inputs["reward"]
    assert isinstance(reward, RewardValue)
    weights = {"weights": literal(reward.weights)} if reward.weights else {}
    threshold = literal(context["reward_threshold"])
    shaped = call("penalize_shortfall", reward_list(reward), threshold=threshold, **weights)
    return Part({"reward_funcs": shaped}, (f"from {RUNTIME}.rewards import penalize_shortfall", *reward.imports))
