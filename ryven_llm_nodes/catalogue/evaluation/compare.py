"""Compare: which of several evaluated models is better, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, literal, report_cell_of
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.values import Value

MOST: Final = 8
TAKEN: Final = ("alpha", "pipeline", "stage", "make", "baseline")
"""Names that mean something else where evaluations are given by their names: arguments, and the baseline's column."""


class Compare(LLMNode):
    """Puts evaluations of the same rows side by side: a table with intervals, and what differs significantly.

    The first model (the baseline, where the evaluations have one) is what the others are compared with, row by row.
    P-values are corrected for the number of differences (Holm). The folder gets ``report.json`` and ``report.md``; a
    run also writes ``report.html``: the table, training curves, completions side by side, what differs in the settings.
    """

    title = "Compare"
    stem = "comparison"
    icon, accent = "check", "output"
    position = 3
    is_stage = True
    leaves = "report"
    compares = True
    tags = ["compare", "table", "significance", "interval", "ablation", "better", "report"]
    in_ports = tuple(Port(f"report_{i}", "report", optional=i > 1, help="An evaluation.") for i in range(1, MOST + 1))
    out_ports = (Port("report", "report", help="The table."),)
    parameters = (
        number("alpha", 0.05, "Chance of any false difference that is accepted.", above=0, below=1, typical="0.05"),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        reports = [context.inputs[port.name].expression for port in cls.in_ports if port.name in context.inputs]
        inputs = {report: report for report in reports}
        given = {name: literal(value) for name, value in context.changed("alpha").items()}
        cell = report_cell_of(context.name, f"{RUNTIME}.comparison", "compare", **given, **inputs)
        return replace(cell, values={"report": Value(expression=context.name)})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        names = [value.expression for value in context.inputs.values()]
        if twice := next((name for name in names if names.count(name) > 1), None):
            yield "report_1", f"{twice!r} is connected twice; connect each evaluation once."
        for name in sorted(set(names) & set(TAKEN)):
            yield "report_1", f"an evaluation cannot be called {name!r} here; give it another name."
