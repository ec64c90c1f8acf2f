"""Combine Rewards: a weighted sum."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.values import RewardValue

SLOTS: Final = (1, 2, 3, 4)


class CombineRewards(LLMNode):
    """A weighted sum of up to four rewards; combine the result again for more."""

    title = "Combine Rewards"
    position = 3
    stem = "rewards"
    icon = accent = "reward"
    tags = ["reward", "combine", "sum", "weight", "several", "mix"]
    in_ports = tuple(Port(f"reward_{slot}", "reward", optional=slot > 1) for slot in SLOTS)
    out_ports = (Port("reward", "reward"),)
    parameters = tuple(
        number(f"weight_{slot}", 1.0, f"Weight of reward {slot} in the sum.", typical="0.1 to 1") for slot in SLOTS
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        parts = []
        for slot in SLOTS:
            value = context.inputs.get(f"reward_{slot}")
            if isinstance(value, RewardValue):
                parts += [part.times(float(context[f"weight_{slot}"])) for part in value.parts]
        return Cell(values={"reward": RewardValue(parts=tuple(parts))})
