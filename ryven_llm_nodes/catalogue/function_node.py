"""The bases of nodes whose code defines a function: any, and one that a trainer takes as an argument of its own."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from ryven_llm_nodes.catalogue.beside import modules_of, shadowed
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.usercode import CodeError, FunctionDef, UserCode, read_code
from ryven_llm_nodes.catalogue.values import ArgumentsValue, Value


class FunctionNode(LLMNode):
    """Base of nodes whose parameters ``code`` and ``function`` name a Python function, which is what they give."""

    holds_code = True

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        code = read_code(context["code"], context["function"]).named(context.name)
        return Cell(
            definition=code.text,
            values={cls.out_ports[0].name: cls.value(context, code)},
            modules=tuple(modules_of(code.text, context.root)),
            defines=code.names,
            borrows=code.imported,
        )

    @classmethod
    @abstractmethod
    def value(cls, context: NodeContext, code: UserCode) -> Value:
        """What the function is to others."""

    @classmethod
    def own_name(cls, given: Mapping[str, JSON]) -> str:
        """The name of the function; for code that cannot be parsed, which the check reports, any name will do."""
        try:
            return read_code(str(given.get("code", cls.all_parameters()["code"].default))).function.name
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
        if wrong := cls.wrong_signature(code.function):
            yield "code", wrong
        yield from (("code", wrong) for wrong in shadowed(code.text, context.root))

    @classmethod
    @abstractmethod
    def wrong_signature(cls, function: FunctionDef) -> str | None:
        """Why the function could not be called, or None."""


class ArgumentNode(FunctionNode):
    """Base of nodes whose function a trainer takes as an argument of its own."""

    icon = "code"
    argument: ClassVar[str]
    """What the trainer calls it."""
    called_with: ClassVar[tuple[str, ...]]
    """What the trainer calls the function with, by place, in words."""

    @classmethod
    def value(cls, context: NodeContext, code: UserCode) -> Value:
        return ArgumentsValue(
            expression=code.function.name,
            arguments=cls.arguments(context, code),
            batched=any(argument.arg == "compute_result" for argument in _named(code.function)),
        )

    @classmethod
    def arguments(cls, context: NodeContext, code: UserCode) -> Mapping[str, str]:
        """The names of functions by the argument of the trainer."""
        return {cls.argument: code.function.name}

    @classmethod
    def wrong_signature(cls, function: FunctionDef) -> str | None:
        """Why the trainer could not call the function, or None."""
        if isinstance(function, ast.AsyncFunctionDef):
            return f"{function.name}() is async, and TRL does not wait for it; write `def`."
        if not takes_places(function, len(cls.called_with)):
            return f"{function.name}() must take {len(cls.called_with)} arguments: {', '.join(cls.called_with)}."
        return None


def _named(function: FunctionDef) -> list[ast.arg]:
    """The arguments of a function that have a name."""
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def takes_places(function: FunctionDef, count: int) -> bool:
    """Whether ``function`` can be called with ``count`` arguments by place (and ``compute_result`` by name)."""
    arguments = function.args
    places = [a for a in (*arguments.posonlyargs, *arguments.args) if a.arg != "compute_result"]
    required = len(places) - len(arguments.defaults)
    by_name = [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    return (
        required <= count and (len(places) >= count or bool(arguments.vararg)) and not set(by_name) - {"compute_result"}
    )
