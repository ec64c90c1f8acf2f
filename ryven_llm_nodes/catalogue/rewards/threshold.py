"""Threshold: a reward, seen from a limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, number
from ryven_llm_nodes.catalogue.values import RewardValue


class Threshold(LLMNode):
    """Changes a reward below a threshold: completions that are not good enough get nothing, or a penalty.

    *pass*: 1 at or above the threshold, 0 below. *keep*: the reward itself at or above, 0 below. *penalize*: the reward
    itself at or above; below, the reward minus the threshold.
    """

    title = "Threshold"
    position = 13
    stem = "threshold"
    icon = "threshold"
    accent = "reward"
    tags = ["reward", "threshold", "binary", "pass", "limit", "clip", "penalize", "shortfall"]
    in_ports = (Port("reward", "reward"),)
    out_ports = (Port("reward", "reward"),)
    parameters = (
        number("threshold", 0.5, "Lowest reward that is good enough."),
        choice("mode", "pass", ("pass", "keep", "penalize"), "What becomes of the reward."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        value = context.inputs["reward"]
        assert isinstance(value, RewardValue)
        options = {"threshold": literal(context["threshold"]), "mode": literal(context["mode"])}
        imports = (f"from {RUNTIME}.rewards import limit_reward",)
        parts = (
            replace(
                part,
                expression=call("limit_reward", part.expression, **options, name=literal(context.name)),
                imports=(*part.imports, *imports),
            )
            for part in value.parts
        )
        return Cell(values={"reward": RewardValue(parts=tuple(parts))})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        value = context.inputs.get("reward")
        if isinstance(value, RewardValue) and len(value.parts) > 1:
            yield "reward", f"must be one reward, got {len(value.parts)}; connect this before Combine Rewards."
        elif isinstance(value, RewardValue) and value.parts[0].is_async:
            yield "reward", "must be a synchronous function; rewrite the async reward."
