"""Exact Match: completions that give the right answer."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import RUNTIME, call, literal
from ryven_llm_nodes.catalogue.coded_reward import ANSWER_OF, TIME_LIMIT, CodedReward, defined, returned
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import flag, text
from ryven_llm_nodes.catalogue.usercode import wrong_pattern


class ExactMatch(CodedReward):
    """1 for a completion that equals a column of the dataset, else 0; None where that column is empty.

    White space around does not count, and numbers are compared by their value (3 and 3.0). With a pattern, only what
    its first group matches is compared, such as the text after "The answer is".
    """

    title = "Exact Match"
    position = 4
    stem = "exact_match"
    icon = "match"
    tags = ["reward", "exact", "match", "answer", "correct", "verifiable", "column", "rlvr"]
    imports = (ANSWER_OF, f"from {RUNTIME}.scoring import extracted, same_text")
    parameters = (
        text("column", "answer", "Column with the right answers.", required=True, typical="answer or solution"),
        text("pattern", "", "Regular expression for the answer in a completion: its first group; empty: all of it."),
        flag("ignore_case", False, "Do not distinguish upper and lower case."),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        given = "answer_of(completion)"
        given = call("extracted", given, literal(context["pattern"])) if context["pattern"] else given
        options = {"ignore_case": "True"} if context["ignore_case"] else {}
        score = f"None if right is None else float({call('same_text', 'given', 'right', **options)})"
        body = (
            f"answers = [{given} for completion in completions]\n"
            f"pairs = zip(answers, kwargs[{literal(context['column'])}], strict=True)\n"
            f"{returned(score, 'for given, right in pairs')}"
        )
        about = "1 for a completion that gives the right answer, else 0."
        return defined(context.name, "completions", about, body)

    @classmethod
    def columns(cls, context: NodeContext) -> Iterator[str]:
        yield context["column"]

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if context["pattern"] and (wrong := wrong_pattern(context["pattern"])):
            yield "pattern", wrong
