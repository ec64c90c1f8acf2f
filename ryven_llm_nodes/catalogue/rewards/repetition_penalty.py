"""Repetition Penalty: completions that say everything once."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.cell import call, literal
from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT, CodedReward, defined
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number, whole


class RepetitionPenalty(CodedReward):
    """TRL's repetition penalty (arXiv 2502.03373): the share of repeated n-grams of tokens, times the penalty."""

    title = "Repetition Penalty"
    position = 10
    stem = "repetition_penalty"
    icon = "repeat"
    tags = ["reward", "penalty", "repetition", "n-gram", "repeat", "degenerate", "trl"]
    imports = ("from trl.rewards import get_repetition_penalty_reward",)
    parameters = (
        whole("ngram_size", 3, "Tokens of an n-gram.", at_least=1, typical="3 to 40"),
        number("max_penalty", -1.0, "Reward of a completion that repeats itself all the time.", at_most=0),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        given = {name: literal(context[name]) for name in ("ngram_size", "max_penalty")}
        made = call("get_repetition_penalty_reward", **given)
        about = "The share of n-grams of tokens that are repeated, times the penalty."
        return defined(context.name, "completion_ids", about, f"return {made}(completion_ids=completion_ids)")
