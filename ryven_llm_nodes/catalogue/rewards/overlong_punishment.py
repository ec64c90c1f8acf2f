"""Overlong Punishment: completions that end before they are cut off."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import call, literal
from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT, CodedReward, defined
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import whole


class OverlongPunishment(CodedReward):
    """TRL's soft overlong punishment (DAPO, arXiv 2503.14476): from 0 to -1 in the last tokens before the limit."""

    title = "Overlong Punishment"
    position = 11
    stem = "overlong_punishment"
    icon = "hourglass"
    tags = ["reward", "penalty", "overlong", "length", "dapo", "truncated", "trl"]
    imports = ("from trl.rewards import get_soft_overlong_punishment",)
    parameters = (
        whole(
            "max_completion_len",
            256,
            "Tokens of the longest completion: max_completion_length of the trainer.",
            at_least=1,
        ),
        whole("soft_punish_cache", 64, "Tokens before that limit in which the punishment grows.", at_least=0),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        given = {name: literal(context[name]) for name in ("max_completion_len", "soft_punish_cache")}
        made = call("get_soft_overlong_punishment", **given)
        about = "0 for a completion that ends in time, down to -1 for one that is too long."
        return defined(context.name, "completion_ids", about, f"return {made}(completion_ids=completion_ids)")

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if context["soft_punish_cache"] > context["max_completion_len"]:
            limit = context["max_completion_len"]
            yield (
                "soft_punish_cache",
                f"must be at most max_completion_len, {limit}, got {context['soft_punish_cache']}.",
            )
