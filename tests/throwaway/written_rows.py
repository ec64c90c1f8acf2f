"""Written Rows: a dataset that stands in the flow itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ryven_llm_nodes.catalogue.cell import Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import is_plain, text
from ryven_llm_nodes.catalogue.values import DatasetValue
from ryven_llm_nodes.errors import one_line


class WrittenRows(LLMNode):
    """A few rows that are typed in, a JSON object a line."""

    title = "Written Rows"
    stem = "rows"
    icon = accent = "dataset"
    tags = ["dataset", "rows", "json", "typed"]
    out_ports = (Port("dataset", "dataset"),)
    parameters = (text("rows", '{"text": "Hello."}', 'A JSON object a line, such as {"prompt": "Hi"}.', required=True),)

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows = _rows(context)
        made = call("Dataset.from_list", literal(rows))
        value = DatasetValue(expression=context.name, columns=tuple(rows[0]))
        return Cell(("from datasets import Dataset",), statement=f"{context.name} = {made}", values={"dataset": value})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        try:
            rows = _rows(context)
        except (ValueError, RecursionError) as error:
            yield "rows", f"are no JSON lines ({one_line(str(error))}); write an object a line."
            return
        if not all(isinstance(row, dict) and row and is_plain(row) and row.keys() == rows[0].keys() for row in rows):
            yield "rows", "must be objects with the same keys; correct the line that is another."


def _rows(context: NodeContext) -> list[Any]:
    return [json.loads(line) for line in str(context["rows"]).splitlines() if line.strip()]
