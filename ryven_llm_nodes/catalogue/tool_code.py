"""Inspects the code of tools and environments, without running it: what a model may call, and if it is described.

A model sees the name, the docstring and the arguments of each function, as ``get_json_schema`` of
transformers makes them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ryven_llm_nodes.catalogue.scopes import scope_of
from ryven_llm_nodes.catalogue.usercode import CodeError, FunctionDef, parsed
from ryven_llm_nodes.errors import shown, suggestion

DESCRIBED: Final = "describe it there, under 'Args:', as in 'city: The name of the city.'"
NO_TOOLS: Final = ("reset", "get_reward")
"""The methods of an environment that TRL calls itself."""


@dataclass(frozen=True)
class ToolCode:
    """Parsed code: its text, the names of the functions or of the class that it offers, the functions that a model may
    call, and every name that it binds or imports at its top level."""

    text: str
    offers: tuple[str, ...]
    tools: tuple[FunctionDef, ...]
    names: frozenset[str]
    imported: frozenset[str]


@lru_cache(maxsize=256)
def read_tools(text: str) -> ToolCode:
    """The public functions of ``text``, which are the tools. Raises CodeError."""
    text, tree = parsed(text)
    found = tuple(node for node in tree.body if isinstance(node, FunctionDef) and not node.name.startswith("_"))
    if not found:
        raise CodeError("defines no function; write one for each tool, such as `def add(a: int, b: int) -> int:`.")
    scope = scope_of(text)
    return ToolCode(text, tuple(node.name for node in found), found, scope.assigned, scope.borrowed)


@lru_cache(maxsize=256)
def read_environment(text: str, wanted: str = "") -> ToolCode:
    """The class ``wanted`` of ``text``, or its last public one, whose methods are the tools. Raises CodeError."""
    text, tree = parsed(text)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if wanted and wanted not in classes:
        raise CodeError(f"the code defines no class {shown(wanted)}.{suggestion(wanted, list(classes))}")
    if not classes:
        raise CodeError("defines no class; write one with a method reset(self, **kwargs), and a method for each tool.")
    public = [name for name in classes if not name.startswith("_")] or list(classes)
    name, scope = wanted or public[-1], scope_of(text)
    methods = (node for node in classes[name].body if isinstance(node, FunctionDef))
    return ToolCode(text, (name,), tuple(methods), scope.assigned, scope.borrowed)


def tool_complaints(code: ToolCode) -> Iterator[str]:
    """What a model would not be told of the functions of ``code``: transformers rejects such ones."""
    for function in code.tools:
        yield from _function_complaints(function, [*function.args.posonlyargs, *function.args.args])


def environment_complaints(code: ToolCode) -> Iterator[str]:
    """The same of the methods of a class, and what TRL requires of it."""
    methods = {function.name: function for function in code.tools}
    reset = methods.get("reset")
    if reset is None:
        yield f"{code.offers[0]} has no method reset(self, **kwargs), which begins an episode."
    elif reset.args.kwarg is None:
        yield "reset() must accept **kwargs: TRL passes every column of the row by name."
    for name, function in methods.items():
        if name not in NO_TOOLS and not name.startswith("_"):
            yield from _function_complaints(function, [*function.args.posonlyargs, *function.args.args][1:])


def _function_complaints(function: FunctionDef, positional: list[ast.arg]) -> Iterator[str]:
    described = ast.get_docstring(function)
    if not described:
        yield f"{function.name}() has no docstring, by which the model knows what it does; write one."
        return
    if function.args.vararg or function.args.kwarg:
        yield f"{function.name}() takes * or ** arguments, which a model cannot give; name each argument."
    _, _, arguments = described.partition("Args:")
    for argument in [*positional, *function.args.kwonlyargs]:
        if argument.annotation is None:
            yield f"{function.name}() has an argument {argument.arg!r} without a type; write `{argument.arg}: str`."
        if not re.search(rf"(?m)^\s*{re.escape(argument.arg)}\s*(\([^()\n]*\))?:", arguments):
            yield f"the docstring of {function.name}() does not mention the argument {argument.arg!r}; {DESCRIBED}"
