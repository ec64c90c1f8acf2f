"""Length Reward: completions that are neither too short nor too long."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import RUNTIME, call, literal
from ryven_llm_nodes.catalogue.coded_reward import ANSWER_OF, TIME_LIMIT, CodedReward, defined
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import choice, whole


class LengthReward(CodedReward):
    """1 for a completion of such a length; less for others, down to 0 for an empty one, or one of twice the most."""

    title = "Length Reward"
    position = 7
    stem = "length_reward"
    icon = "ruler"
    tags = ["reward", "length", "short", "long", "tokens", "words", "characters", "concise"]
    imports = (ANSWER_OF, f"from {RUNTIME}.scoring import within")
    parameters = (
        choice("unit", "words", ("words", "characters", "tokens"), "What is counted."),
        whole("at_least", 1, "Shortest length that gets the full reward.", at_least=0),
        whole("at_most", 100, "Longest length that gets the full reward.", at_least=1),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        score = call("within", "length", literal(context["at_least"]), literal(context["at_most"]))
        about = (
            f"1 for a completion of {context['at_least']} to {context['at_most']} {context['unit']}, less for others."
        )
        if context["unit"] == "tokens":
            body = f"lengths = [len(ids) for ids in completion_ids]\nreturn [{score} for length in lengths]"
            return defined(context.name, "completion_ids", about, body)
        split = ".split()" if context["unit"] == "words" else ""
        counted = f"len(answer_of(completion){split}) for completion in completions"
        return defined(
            context.name, "completions", about, f"lengths = [{counted}]\nreturn [{score} for length in lengths]"
        )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if context["at_least"] > context["at_most"]:
            yield "at_most", f"must be at least the shortest length, {context['at_least']}, got {context['at_most']}."
