"""Mix: rows of several datasets in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import Cell, call, layout, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.foreign_formats import TRAINED
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, flag, number, whole
from ryven_llm_nodes.catalogue.values import DatasetValue

SLOTS: Final = (1, 2, 3, 4)
STOPPING: Final = ("first_exhausted", "all_exhausted", "all_exhausted_without_replacement")


class Mix(LLMNode):
    """Interleaves up to four datasets by weight, or puts one after the other; mix the result again for more."""

    title = "Mix"
    position = 5
    stem = "mixed"
    icon = "mix"
    accent = "dataset"
    tags = ["dataset", "mix", "mixture", "interleave", "concatenate", "join", "several", "weights"]
    in_ports = tuple(Port(f"dataset_{slot}", "dataset", optional=slot > 2) for slot in SLOTS)
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        choice("mode", "interleave", ("interleave", "concatenate"), "Rows in turn, drawn by weight, or all in order."),
        *(
            number(
                f"weight_{slot}", 1.0, f"How often a row of dataset {slot} is drawn, relative to the others.", above=0
            )
            for slot in SLOTS
        ),
        whole("seed", 42, "Seed of the draws.", at_least=0, at_most=2**32 - 1),
        choice(
            "stopping_strategy",
            "all_exhausted_without_replacement",
            STOPPING,
            "When it ends: with the first dataset, with the last (others are repeated), or when each row was taken.",
        ),
        flag("shuffle", False, "Shuffle the rows at the end."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        name, values = context.name, _values(context)
        rows = layout("[", (value.expression for value in values.values()), "]")
        if context["mode"] == "concatenate":
            function, given = "concatenate_datasets", {}
        else:
            function, total = "interleave_datasets", sum(context[f"weight_{slot}"] for slot in values)
            shares = [context[f"weight_{slot}"] / total for slot in values]
            given = {"probabilities": literal(shares), "seed": literal(context["seed"])}
            given["stopping_strategy"] = literal(context["stopping_strategy"])
        statement = f"{name} = {call(function, rows, **given)}"
        if context["shuffle"]:
            statement += f"\n{name} = {name}.shuffle(seed={literal(context['seed'])})"
        known = [value.columns for value in values.values()]
        columns = None if None in known else tuple(dict.fromkeys(c for found in known for c in found or ()))
        imports = (f"from datasets import {function}",)
        return Cell(imports, statement=statement, values={"dataset": DatasetValue(expression=name, columns=columns)})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        """Rows without a column that others have would get None there, which no trainer can use."""
        values = _values(context)
        known = {slot: set(value.columns) & set(TRAINED) for slot, value in values.items() if value.columns is not None}
        for slot, columns in known.items():
            first = next(iter(known))
            if columns != known[first]:
                mine, others = (", ".join(sorted(map(repr, names))) or "none" for names in (columns, known[first]))
                remedy = "convert them to one format first"
                yield f"dataset_{slot}", f"has the columns {mine}, but dataset {first} has {others}; {remedy}."


def _values(context: NodeContext) -> dict[int, DatasetValue]:
    """The datasets that are connected, by their slot."""
    values = {slot: context.inputs.get(f"dataset_{slot}") for slot in SLOTS}
    return {slot: value for slot, value in values.items() if isinstance(value, DatasetValue)}
