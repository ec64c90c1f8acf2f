"""Think Format: completions that think before they answer."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.cell import RUNTIME
from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT, CodedReward, defined
from ryven_llm_nodes.catalogue.node import NodeContext


class ThinkFormat(CodedReward):
    """TRL's ``think_format_reward``: 1 for a completion that begins with ``<think>...</think>``, else 0."""

    title = "Think Format"
    position = 9
    stem = "think_format"
    icon = "think"
    tags = ["reward", "think", "reasoning", "format", "trl"]
    imports = (f"from {RUNTIME}.scoring import as_message", "from trl.rewards import think_format_reward")
    parameters = (TIME_LIMIT,)

    @classmethod
    def function(cls, context: NodeContext) -> str:
        about = "1 for a completion that begins with <think>...</think>, else 0."
        body = "return think_format_reward([as_message(completion) for completion in completions])"
        return defined(context.name, "completions", about, body)
