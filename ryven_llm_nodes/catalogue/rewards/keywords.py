"""Keywords: completions with the words that are wanted, and without those that are not."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import RUNTIME, call, literal
from ryven_llm_nodes.catalogue.coded_reward import ANSWER_OF, TIME_LIMIT, CodedReward, defined, per_completion
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import Parameter, flag


class Keywords(CodedReward):
    """The share of the wanted words that a completion contains, minus the share of the unwanted ones."""

    title = "Keywords"
    position = 8
    stem = "keywords"
    icon = "words"
    tags = ["reward", "keywords", "words", "contains", "mention", "avoid", "banned"]
    imports = (ANSWER_OF, f"from {RUNTIME}.scoring import share_of_words")
    parameters = (
        Parameter(
            name="wanted",
            types=(list,),
            items=(str,),
            default=["because"],
            help="Words or phrases to use.",
            typical='["because", "therefore"]',
        ),
        Parameter(name="unwanted", types=(list,), items=(str,), default=[], help="Words or phrases to avoid."),
        flag("ignore_case", True, "Do not distinguish upper and lower case."),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        options = {} if context["ignore_case"] else {"ignore_case": "False"}
        shares = [
            call("share_of_words", "text", literal(context[name]), **options) if context[name] else ""
            for name in ("wanted", "unwanted")
        ]
        score = " - ".join(filter(None, shares)) if shares[0] else f"-{shares[1]}"
        about = "The share of the wanted words in a completion, minus that of the unwanted ones."
        return defined(context.name, "completions", about, per_completion(score))

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        for name in ("wanted", "unwanted"):
            if any(not word.strip() for word in context[name]):
                yield name, "contains an empty word; remove it."
        if not context["wanted"] and not context["unwanted"]:
            yield "wanted", 'is empty, as is unwanted; name at least one word, such as ["because"].'
