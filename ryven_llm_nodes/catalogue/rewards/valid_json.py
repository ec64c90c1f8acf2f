"""Valid JSON: completions that a program can read."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.cell import RUNTIME, literal
from ryven_llm_nodes.catalogue.coded_reward import ANSWER_OF, TIME_LIMIT, CodedReward, defined, returned
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import Parameter


class ValidJSON(CodedReward):
    """1 for a completion that is a JSON object with the keys that are asked for, else 0; code fences are allowed."""

    title = "Valid JSON"
    position = 6
    stem = "valid_json"
    icon = "braces"
    tags = ["reward", "json", "valid", "format", "structured", "keys", "schema"]
    imports = (ANSWER_OF, f"from {RUNTIME}.scoring import json_in")
    parameters = (
        Parameter(
            name="keys",
            types=(list,),
            items=(str,),
            default=[],
            help="Keys that the object must have; empty: any object.",
            typical='["name", "age"]',
        ),
        TIME_LIMIT,
    )

    @classmethod
    def function(cls, context: NodeContext) -> str:
        keys = literal(context["keys"])
        has_keys = f" and all(key in value for key in {keys})" if context["keys"] else ""
        body = "values = [json_in(answer_of(completion)) for completion in completions]\n" + returned(
            f"float(isinstance(value, dict){has_keys})", "for value in values"
        )
        return defined(context.name, "completions", "1 for a completion that is such a JSON object, else 0.", body)
