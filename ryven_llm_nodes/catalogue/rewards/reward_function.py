"""Reward Function: a Python function written by the user that scores completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ryven_llm_nodes.catalogue.beside import modules_of, shadowed
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, text
from ryven_llm_nodes.catalogue.reward_templates import DISTINCT_WORDS, GALLERY
from ryven_llm_nodes.catalogue.usercode import CodeError, read_code, signature_complaint
from ryven_llm_nodes.catalogue.values import RewardPart, RewardValue


class RewardFunction(LLMNode):
    """A reward computed by your own Python function, with the signature that TRL expects.

    The function gets ``prompts``, ``completions``, and every other column of the dataset by name, and returns a
    list with one number per completion (None where the reward does not apply).
    """

    title = "Reward Function"
    position = 1
    stem = "reward"
    icon = accent = "reward"
    tags = ["reward", "function", "python", "code", "score", "verifiable"]
    holds_code = True
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
    def cell(cls, context: NodeContext) -> Cell:
        code = read_code(context["code"], context["function"]).named(context.name)
        name = code.function.name
        part = RewardPart(expression=name, symbol=name, owner=context.name, is_async=code.is_async)
        values = {"reward": RewardValue(parts=(part,))}
        modules = tuple(modules_of(code.text, context.root))
        return Cell(definition=code.text, values=values, modules=modules, defines=code.names, borrows=code.imported)

    @classmethod
    def own_name(cls, given: Mapping[str, JSON]) -> str:
        """The name of the function; for code that cannot be parsed, which the check reports, any name will do."""
        try:
            return read_code(str(given.get("code", DISTINCT_WORDS))).function.name
        except CodeError:
            return cls.stem

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        place = "code"
        try:
            code = read_code(context["code"])
            place = "function"
            code = read_code(context["code"], context["function"])
        except CodeError as error:
            yield place, str(error)
            return
        if wrong := signature_complaint(code.function):
            yield "code", wrong
        yield from (("code", wrong) for wrong in shadowed(code.text, context.root))
