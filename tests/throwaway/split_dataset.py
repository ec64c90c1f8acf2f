"""Split Dataset: rows to train on, and rows that are kept apart."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.cell import Cell, call, literal
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import number, whole
from ryven_llm_nodes.catalogue.values import DatasetValue


class SplitDataset(LLMNode):
    """Draws rows at random that are held out of training."""

    title = "Split Dataset"
    stem = "split"
    icon = accent = "dataset"
    tags = ["dataset", "split", "held out", "evaluation"]
    in_ports = (Port("dataset", "dataset"),)
    out_ports = (Port("train", "dataset"), Port("held_out", "dataset"))
    parameters = (
        number("share", 0.1, "Share of the rows that are held out.", above=0, below=1, typical="0.05 to 0.2"),
        whole("seed", 42, "Seed of the draw.", at_least=0, at_most=2**32 - 1),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows, name = context.inputs["dataset"], context.name
        assert isinstance(rows, DatasetValue)
        options = {"test_size": literal(context["share"]), "seed": literal(context["seed"])}
        values = {
            port: DatasetValue(expression=f'{name}["{part}"]', columns=rows.columns)
            for port, part in (("train", "train"), ("held_out", "test"))
        }
        return Cell(statement=f"{name} = {call(f'{rows.expression}.train_test_split', **options)}", values=values)
