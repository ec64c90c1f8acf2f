"""Deduplicate: every row once."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import Parameter, flag
from ryven_llm_nodes.catalogue.values import DatasetValue


class Deduplicate(LLMNode):
    """Keeps the first of the rows that are equal in some columns, such as those with the same prompt."""

    title = "Deduplicate"
    position = 6
    stem = "unique"
    icon = "unique"
    accent = "dataset"
    tags = ["dataset", "deduplicate", "duplicates", "unique", "distinct", "once"]
    in_ports = (Port("dataset", "dataset"),)
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        Parameter(
            name="columns",
            types=(list,),
            items=(str,),
            default=[],
            help="Columns that are compared; empty: all.",
            typical='["prompt"]',
        ),
        flag("ignore_case", False, "Take rows for equal that differ in upper case and spaces only."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows = context.inputs["dataset"]
        assert isinstance(rows, DatasetValue)
        columns = literal(context["columns"]) if context["columns"] else f"{rows.expression}.column_names"
        options = {"ignore_case": "True"} if context["ignore_case"] else {}
        made = call("deduplicate", rows.expression, columns, **options)
        value = DatasetValue(expression=context.name, columns=rows.columns)
        imports = (f"from {RUNTIME}.rows import deduplicate",)
        return Cell(imports, statement=f"{context.name} = {made}", values={"dataset": value})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows = context.inputs.get("dataset")
        columns = rows.columns if isinstance(rows, DatasetValue) else None
        for name in context["columns"]:
            if columns is not None and name not in columns:
                yield "columns", f"there is no column {name!r}; there are {', '.join(map(repr, columns))}."
