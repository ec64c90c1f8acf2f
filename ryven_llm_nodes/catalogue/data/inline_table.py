"""Inline Table: rows that are typed into the flow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from ryven_llm_nodes.catalogue.cell import Cell, layout, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import is_plain, text
from ryven_llm_nodes.catalogue.values import DatasetValue
from ryven_llm_nodes.errors import one_line, shown

EXAMPLE: Final = '{"prompt": "What is 2 + 2?", "completion": "4"}\n{"prompt": "What is 3 + 3?", "completion": "6"}\n'
KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


class InlineTable(LLMNode):
    """A few rows that are part of the flow: one JSON object per line, or one list of objects."""

    title = "Inline Table"
    position = 7
    stem = "table"
    icon = "table"
    accent = "dataset"
    tags = ["dataset", "rows", "table", "json", "typed", "inline", "example", "prompts"]
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        text(
            "rows",
            EXAMPLE,
            'One JSON object per line, such as {"prompt": "Hi"}, or a list of them.',
            required=True,
            widget="text",
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows = [row for _, row in _rows(str(context["rows"]))]
        made = layout("Dataset.from_list(", [layout("[", map(literal, rows), "]", width=0)], ")", width=0)
        value = DatasetValue(expression=context.name, columns=tuple(rows[0]))
        return Cell(("from datasets import Dataset",), statement=f"{context.name} = {made}", values={"dataset": value})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows: list[Any] = []
        try:
            for place, row in _rows(str(context["rows"])):
                if not isinstance(row, dict) or not row or not is_plain(row):
                    yield "rows", f"{place}: must be an object with columns, got {shown(row)}."
                    return
                rows.append((place, row))
        except (ValueError, RecursionError) as error:
            place = f"row {len(rows) + 1}"
            yield "rows", f"{place}: {one_line(str(error))}. Write one JSON object per line, or a list of objects."
            return
        if not rows:
            yield "rows", "is empty; write one JSON object per line."
        yield from (("rows", wrong) for wrong in islice(_differences(rows), 1))


def _differences(rows: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Other columns than in the first row; a value of another kind than those above it."""
    kinds: dict[str, tuple[str, str]] = {}
    for place, row in rows:
        if row.keys() != rows[0][1].keys():
            there, first = (", ".join(map(repr, keys)) for keys in (row, rows[0][1]))
            yield f"{place}: has the columns {there}, but the first row has {first}."
        for name, value in row.items():
            kind = KINDS.get(type(value), "")
            before, there = kinds.setdefault(name, (kind, place)) if kind else ("", "")
            if kind != before:
                yield f"{place}: {shown(name)} is {kind}, but {before} in {there}; use values of one type per column."


def _rows(text: str) -> Iterator[tuple[str, Any]]:
    """The rows with their place. Raises ValueError for what is not JSON."""
    if text.lstrip().startswith("["):
        yield from ((f"row {number}", row) for number, row in enumerate(json.loads(text), 1))
        return
    lines = (line for line in text.split("\n") if line.strip())
    yield from ((f"row {number}", json.loads(line)) for number, line in enumerate(lines, 1))
