"""Pattern Match: completions that match a regular expression."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import literal
from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT, CodedReward, defined, per_completion
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import choice, flag, text
from ryven_llm_nodes.catalogue.usercode import wrong_pattern


class PatternMatch(CodedReward):
    """1 for a completion that matches a regular expression, else 0; a dot also matches the end of a line."""

    title = "Pattern Match"
    position = 5
    stem = "pattern_match"
    icon = "pattern"
    tags = ["reward", "regular expression", "regex", "pattern", "format", "match"]
    imports = (*CodedReward.imports, "import re")
    parameters = (
        text("pattern", r"\\boxed\{.+\}", "Regular expression.", required=True),
        choice(
            "where", "anywhere", ("anywhere", "all"), "Whether a part of the completion has to match, or all of it."
        ),
        flag("ignore_case", False, "Do not distinguish upper and lower case."),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        function = "fullmatch" if context["where"] == "all" else "search"
        flags = "re.DOTALL | re.IGNORECASE" if context["ignore_case"] else "re.DOTALL"
        score = f"float(re.{function}({literal(context['pattern'])}, text, {flags}) is not None)"
        about = "1 for a completion that matches the pattern, else 0."
        return defined(context.name, "completions", about, per_completion(score))

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if wrong := wrong_pattern(context["pattern"]):
            yield "pattern", wrong
