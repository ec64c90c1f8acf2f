"""Map Columns: columns renamed, kept, and built from templates."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue.cell import Cell, call, layout, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.catalogue.values import DatasetValue
from ryven_llm_nodes.errors import one_line, shown, suggestion

ROW: Final = "row"


class MapColumns(LLMNode):
    """Builds columns from templates, renames others, and keeps those that are wanted, in this order.

    A template is a text with the names of columns in braces, ``Question: {question}``, or a list of messages whose
    contents are such texts: ``[{"role": "user", "content": "{question}"}]``. A brace itself is written twice.
    """

    title = "Map Columns"
    position = 2
    stem = "mapped"
    icon = "columns"
    accent = "dataset"
    tags = ["dataset", "columns", "rename", "keep", "select", "remove", "template", "messages", "text", "map"]
    inserted_for = "columns"
    in_ports = (Port("dataset", "dataset"),)
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        Parameter(
            name="templates",
            types=(dict,),
            default={},
            help="New columns, each with the template that it is built from.",
            typical='{"prompt": "Question: {question}"}',
        ),
        Parameter(
            name="rename",
            types=(dict,),
            default={},
            help="New names of columns, by the old ones.",
            typical='{"answer": "completion"}',
        ),
        Parameter(
            name="keep",
            types=(list,),
            items=(str,),
            default=[],
            help="Columns to keep, by their new names; empty: all.",
            typical='["prompt", "completion"]',
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows, name = context.inputs["dataset"], context.name
        assert isinstance(rows, DatasetValue)
        calls = []
        if context["templates"]:
            items = (f"{literal(key)}: {_made(template)}" for key, template in context["templates"].items())
            calls.append(call(".map", f"lambda {ROW}: {layout('{', items, '}')}"))
        if context["rename"]:
            calls.append(call(".rename_columns", literal(context["rename"])))
        if context["keep"]:
            calls.append(call(".select_columns", literal(context["keep"])))
        sources = [rows.expression] + [name] * len(calls)
        lines = [f"{name} = {source}{made}" for source, made in zip(sources, calls or [""], strict=False)]
        value = DatasetValue(expression=name, columns=_after(context, rows.columns))
        return Cell(statement="\n".join(lines), values={"dataset": value})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows = context.inputs.get("dataset")
        columns = rows.columns if isinstance(rows, DatasetValue) else None
        for name, template in context["templates"].items():
            yield from (("templates", f"{shown(name)}: {wrong}") for wrong in _wrong_template(template, columns))
        for old, new in context["rename"].items():
            if not isinstance(new, str) or not new:
                yield "rename", f"the new name of {shown(old)} must be text, got {shown(new)}."
        if columns is not None and all(isinstance(new, str) for new in context["rename"].values()):
            yield from _wrong_names(context, columns)


def _made(template: JSON) -> str:
    """The expression that fills a template."""
    if isinstance(template, str):
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        return (
            f"{literal(template)}.format_map({ROW})"
            if fields
            else literal(string.Formatter().vformat(template, (), {}))
        )
    messages = (
        layout("{", (f"{literal(key)}: {_made(value)}" for key, value in message.items()), "}") for message in template
    )
    return layout("[", messages, "]")


def _wrong_template(template: JSON, columns: tuple[str, ...] | None) -> Iterator[str]:
    if isinstance(template, list):
        for message in template:
            if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
                yield f"must be text or messages with role and content, got {shown(message)}."
                return
            for text in message.values():
                yield from _wrong_template(text, columns) if isinstance(text, str) else _no_text(text)
    elif not isinstance(template, str):
        yield from _no_text(template)
    else:
        yield from _wrong_text(template, columns)


def _no_text(value: Any) -> Iterator[str]:
    yield f"must be text or messages with role and content, got {shown(value)}."


def _wrong_text(template: str, columns: tuple[str, ...] | None) -> Iterator[str]:
    """Braces that hold something other than the name of a column."""
    try:
        fields = [field for field in string.Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        yield f"{one_line(str(error))} in {shown(template)}; write a brace itself twice."
        return
    for _, name, spec, conversion in fields:
        if not name or any(mark in name for mark in ".[]") or spec or conversion:
            found = f"{name}{'!' if conversion else ''}{conversion or ''}{':' if spec else ''}{spec}"
            yield f"must hold names of columns in braces, got {{{found}}}; write a brace itself twice."
        elif columns is not None and name not in columns:
            there = ", ".join(map(repr, columns))
            yield f"there is no column {name!r}; there are {there}.{suggestion(name, [*columns])}"


def _after(context: NodeContext, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The columns that result, where those before are known."""
    if context["keep"]:
        return tuple(context["keep"])
    if columns is None:
        return None
    rename: Mapping[str, str] = context["rename"]
    return tuple(rename.get(name, name) for name in dict.fromkeys((*columns, *context["templates"])))


def _wrong_names(context: NodeContext, columns: tuple[str, ...]) -> Iterator[Complaint]:
    """Columns that there are not, and names that two columns would have."""
    there = tuple(dict.fromkeys((*columns, *context["templates"])))
    for name in context["rename"]:
        if name not in there:
            yield "rename", f"there is no column {name!r}; there are {', '.join(map(repr, there))}."
    renamed = [context["rename"].get(name, name) for name in there]
    for name in dict.fromkeys(name for name in renamed if renamed.count(name) > 1):
        yield "rename", f"two columns would be called {name!r}; rename the other one too."
    for name in context["keep"]:
        if name not in renamed:
            yield "keep", f"there is no column {name!r}; there are {', '.join(map(repr, renamed))}."
