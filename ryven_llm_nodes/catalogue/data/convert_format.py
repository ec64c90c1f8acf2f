"""Convert Format: rows of a known format, as TRL trains on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.foreign_formats import (
    DETECT,
    SOURCES,
    TARGETS,
    columns_of_target,
    conversion,
    has_answers_for,
    missing_of,
    source_of,
)
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, text
from ryven_llm_nodes.catalogue.values import DatasetValue

WITHOUT_TEMPLATE: Final = ("alpaca", "hh-rlhf", "columns")
"""The formats that can be written as plain text: all others are conversations."""


class ConvertFormat(LLMNode):
    """Converts rows of a format that people publish to one of TRL's dataset types.

    Formats: *alpaca* (instruction, input, output), *sharegpt* (conversations), *messages* (OpenAI), *hh-rlhf* (two
    dialogues as text), *ultrafeedback* (two conversations), and *columns*: prompt and answer, or a pair of answers,
    under one of their usual names. A format is told by the columns: before the run if these are known then, else in
    the run and in the script, which print it. Other columns stay, since rewards may read them.
    """

    title = "Convert Format"
    position = 1
    stem = "converted"
    icon = "convert"
    accent = "dataset"
    tags = ["dataset", "convert", "format", "alpaca", "sharegpt", "messages", "hh-rlhf", "ultrafeedback", "prompt"]
    inserted_for = "format"
    in_ports = (Port("dataset", "dataset"),)
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        choice("source", DETECT, (DETECT, *SOURCES), "Format of the rows; detect: as their columns tell."),
        choice(
            "target", "prompt-completion", TARGETS, "What a trainer needs: SFT prompt-completion, DPO preference, ..."
        ),
        choice(
            "form",
            "conversational",
            ("conversational", "standard"),
            "Messages, which need a chat template, or plain text.",
        ),
        text("system", "", "System message for conversations that have none; empty: none."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows, target = context.inputs["dataset"], context["target"]
        assert isinstance(rows, DatasetValue)
        is_standard = context["form"] == "standard"
        function, imports = f"from {RUNTIME}.formats import convert_format", []
        if rows.columns is None:
            arguments = (f"{rows.expression}.column_names", literal(context["source"]), literal(target))
            positional, told = (f"**{call(conversion.__name__, *arguments, say='print')}",), {}
            imports = [f"from {conversion.__module__} import {conversion.__name__}"]
        else:
            found = conversion(rows.columns, context["source"], target)
            positional, told = (), {name: literal(value) for name, value in found.items() if value}
        options = {"conversational": "False"} if is_standard else {}
        options |= {"system": literal(context["system"])} if context["system"] else {}
        made = call("convert_format", rows.expression, *positional, **told, target=literal(target), **options)
        value = DatasetValue(expression=context.name, columns=_after(context, rows.columns))
        return Cell((function, *imports), statement=f"{context.name} = {made}", values={"dataset": value})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows = context.inputs.get("dataset")
        columns = rows.columns if isinstance(rows, DatasetValue) else None
        source = context["source"]
        if columns is not None and source == DETECT:
            try:
                source = source_of(columns)
            except ValueError as error:
                yield "source", f"cannot be told: {error}; name it, or rename the columns with Map Columns."
                return
        if context["form"] == "standard" and source not in (DETECT, *WITHOUT_TEMPLATE):
            yield "form", f"must be 'conversational' for {source}: it holds conversations, which need a chat template."
        if context["form"] == "standard" and context["system"]:
            yield "system", "is for conversations; clear it, or set form to 'conversational'."
        if columns is not None and source != DETECT:
            yield from _wrong_for(source, context["target"], columns)


def _wrong_for(source: str, target: str, columns: tuple[str, ...]) -> Iterator[Complaint]:
    """What such rows have not, by their columns."""
    if missing := missing_of(source, columns):
        there = ", ".join(map(repr, columns)) or "none"
        yield "source", f"{source} needs {missing}; the dataset has {there}. Set it to detect, or rename the columns."
    elif not has_answers_for(target, source, columns):
        what = "a pair of answers" if target in ("preference", "unpaired preference") else "an answer"
        yield "target", f"{target} needs {what}, which these rows have not; choose another target."


def _after(context: NodeContext, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The columns of the converted rows, where those before are known."""
    if columns is None:
        return None
    replaced = conversion(columns, context["source"], context["target"])["replaced"]
    kept = (name for name in columns if name not in replaced)
    return (*kept, *columns_of_target(context["target"], context["form"] == "standard"))
