"""Split: rows to train on, and rows that are held out."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import Cell, call, indent, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import flag, number, text, whole
from ryven_llm_nodes.catalogue.values import DatasetValue

STRATUM = "_stratum"


class Split(LLMNode):
    """Splits rows at random into those to train on and those to evaluate on.

    With ``stratify``, both have the same share of every value of a column.
    """

    title = "Split"
    position = 4
    stem = "split"
    icon = "split"
    accent = "dataset"
    tags = ["dataset", "split", "train", "test", "held out", "evaluation", "stratify"]
    in_ports = (Port("dataset", "dataset"),)
    out_ports = (Port("train", "dataset"), Port("test", "dataset"))
    parameters = (
        number("test_size", 0.1, "Share of the rows that are held out.", above=0, below=1, typical="0.05 to 0.2"),
        flag("shuffle", True, "Draw the rows at random; off: the last ones are held out."),
        whole("seed", 42, "Seed of the draw.", at_least=0, at_most=2**32 - 1),
        text("stratify", "", "Column whose values both parts have in equal shares; empty: none."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows, name, column = context.inputs["dataset"], context.name, context["stratify"]
        assert isinstance(rows, DatasetValue)
        given = {"test_size": literal(context["test_size"])}
        given |= {"seed": literal(context["seed"])} if context["shuffle"] else {"shuffle": "False"}
        lines = [f"{name} = {call(f'{rows.expression}.train_test_split', **given)}"]
        if column:  # datasets stratifies by numbers of classes only, so the column itself stays as it is
            lines = [
                f"{name} = (",
                f'    {rows.expression}.add_column("{STRATUM}", {rows.expression}[{literal(column)}][:])',
                f'    .class_encode_column("{STRATUM}")',
                indent(call(".train_test_split", **given, stratify_by_column=f'"{STRATUM}"')),
                f'    .remove_columns("{STRATUM}")',
                ")",
            ]
        values = {
            port.name: DatasetValue(expression=f'{name}["{port.name}"]', columns=rows.columns) for port in cls.out_ports
        }
        return Cell(statement="\n".join(lines), values=values)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows, column = context.inputs.get("dataset"), context["stratify"]
        columns = rows.columns if isinstance(rows, DatasetValue) else None
        if column and columns is not None and column not in columns:
            yield "stratify", f"there is no column {column!r}; there are {', '.join(map(repr, columns))}."
        if column and not context["shuffle"]:
            yield "stratify", "draws rows at random; set shuffle, or clear this."
