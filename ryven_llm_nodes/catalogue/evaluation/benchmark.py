"""Benchmark: what a model is worth on the tasks of lm-evaluation-harness."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, literal, report_cell_of
from ryven_llm_nodes.catalogue.evaluation.evaluate import load_options
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Package, Port
from ryven_llm_nodes.catalogue.parameters import JSON, flag, text, whole
from ryven_llm_nodes.catalogue.places import path_expression, resolve
from ryven_llm_nodes.catalogue.training.rehearsing import few_rows
from ryven_llm_nodes.catalogue.values import ModelValue, Value
from ryven_llm_nodes.errors import shown

HARNESS: Final[Package] = ("lm_eval", "'ryven-llm-nodes[eval]'")
SETTINGS: Final = ("few_shot", "limit", "batch_size", "seed", "chat")


class Benchmark(LLMNode):
    """Measures a model on tasks of lm-evaluation-harness, next to a baseline, if given; its report goes to Compare.

    Tasks are named as there (``arc_easy,hellaswag``); own ones are YAML files in a folder, and need no network if their
    rows are local. Values are those of the harness; those that are means over rows have an interval.
    """

    title = "Benchmark"
    stem = "benchmark"
    icon, accent = "check", "output"
    position = 2
    is_stage = True
    leaves = "report"
    tags = ["benchmark", "lm-eval", "harness", "arc", "hellaswag", "gsm8k", "mmlu", "evaluate", "test"]
    in_ports = (
        Port("model", "model", help="The model that is measured."),
        Port("baseline", "model", optional=True, help="A model to compare with, such as the base model."),
    )
    out_ports = (Port("report", "report", help="What was measured, for Compare."),)
    parameters = (
        text("tasks", "", "Tasks of the harness, with commas between them.", required=True, typical="arc_easy"),
        text("folder", "", "Folder with further tasks, as YAML files.", widget="folder"),
        whole("few_shot", None, "Examples in each prompt; empty: as the task says.", at_least=0),
        whole("limit", None, "Rows per task at most; empty: all.", at_least=2, typical="100 to 1000"),
        whole("batch_size", 8, "Rows of one forward pass.", at_least=1),
        whole("seed", 42, "Seed of the choice of examples.", at_least=0),
        flag("chat", False, "Ask through the chat template of the model."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        model = context.inputs["model"]
        assert isinstance(model, ModelValue)
        inputs = {"model": model.expression, "tasks": literal(_tasks(context)), **load_options("load", model)}
        if context["folder"]:
            inputs["folder"] = path_expression(context["folder"])
        if isinstance(baseline := context.inputs.get("baseline"), ModelValue):
            inputs |= {"baseline": baseline.expression, **load_options("baseline_load", baseline)}
        inputs |= {name: literal(value) for name, value in context.changed(*SETTINGS).items()}
        cell = report_cell_of(context.name, f"{RUNTIME}.benchmark", "measure_tasks", **inputs)
        return replace(cell, values={"report": Value(expression=context.name)})

    @classmethod
    def packages(cls, context: NodeContext) -> Iterator[Package]:
        yield HARNESS

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[tuple[str, Path]]:
        folder = resolve(context["folder"], context.root) if context["folder"] else None
        for file in sorted(folder.rglob("*")) if folder and os.path.isdir(folder) else ():
            if file.is_file():
                yield file.relative_to(folder).as_posix(), file

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return few_rows(given)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if not _tasks(context):
            yield "tasks", f"names no task, got {shown(context['tasks'])}. Typical: arc_easy."
        folder = context["folder"]
        if folder and not os.path.isdir(resolve(folder, context.root)):
            yield "folder", f"{shown(folder)} does not exist (looked in {context.root}); correct the path."


def _tasks(context: NodeContext) -> list[str]:
    return [name.strip() for name in context["tasks"].split(",") if name.strip()]
