"""Reward Function: a Python function written by the user that scores completions."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT
from ryven_llm_nodes.catalogue.function_node import FunctionNode
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import text
from ryven_llm_nodes.catalogue.reward_templates import DISTINCT_WORDS, GALLERY
from ryven_llm_nodes.catalogue.usercode import FunctionDef, UserCode, signature_complaint
from ryven_llm_nodes.catalogue.values import RewardPart, RewardValue


class RewardFunction(FunctionNode):
    """A reward computed by your own Python function, with the signature that TRL expects.

    The function gets ``prompts``, ``completions``, and every other column of the dataset by name, and returns a
    list with one number per completion (None where the reward does not apply).
    """

    title = "Reward Function"
    position = 1
    stem = "reward"
    icon = accent = "reward"
    tags = ["reward", "function", "python", "code", "score", "verifiable"]
    out_ports = (Port("reward", "reward"),)
    parameters = (
        text(
            "code",
            DISTINCT_WORDS,
            "Python that defines the function, with its imports and helpers.",
            widget="code",
            gallery=GALLERY,
        ),
        text("function", "", "Name of the function to use; empty: the last one that the code defines."),
        TIME_LIMIT,
    )

    @classmethod
    def value(cls, context: NodeContext, code: UserCode) -> RewardValue:
        name = code.function.name
        part = RewardPart(expression=name, symbol=name, owner=context.name, is_async=code.is_async)
        return RewardValue(parts=(part,))

    @classmethod
    def wrong_signature(cls, function: FunctionDef) -> str | None:
        return signature_complaint(function)
