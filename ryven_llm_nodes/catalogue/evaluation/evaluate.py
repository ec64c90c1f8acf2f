"""Evaluate: what a model is worth on held-out rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, literal, report_cell_of
from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Seen
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, number, whole
from ryven_llm_nodes.catalogue.training.rehearsing import few_rows
from ryven_llm_nodes.catalogue.training.sampling import reward_list
from ryven_llm_nodes.catalogue.values import DatasetValue, ModelValue, RewardValue, Value
from ryven_llm_nodes.catalogue.work import Work

FITTING: Final = (("chosen", "rejected"), ("prompt", "completion"), ("messages",), ("text",))
MEASURES: Final = ("loss", "perplexity", "preference_accuracy", "preference_margin")
SETTINGS: Final = ("limit", "samples", "temperature", "max_completion_length", "max_length", "batch_size", "seed")


class Evaluate(LLMNode):
    """Measures a model on held-out rows by what the rows allow, with 95 % intervals; next to a baseline, if given.

    Rows with a completion, messages or text: loss and perplexity. Preference pairs: how often the chosen completion is
    more likely than the rejected one, and by how much. Prompts with a reward: the mean reward of sampled completions,
    and the win rate against the baseline: the share of prompts on which the model gets more (a tie counts half). With
    pairs and a reward, such as a trained reward model, also how often that prefers the chosen completion.
    Model and baseline get the same rows and seeds, so that their difference is taken row by row.
    """

    title = "Evaluate"
    stem = "evaluation"
    icon, accent = "check", "output"
    position = 1
    is_stage = True
    leaves = "report"
    tags = ["evaluate", "measure", "loss", "perplexity", "accuracy", "win rate", "reward", "held-out", "test"]
    in_ports = (
        Port("model", "model", help="The model that is measured."),
        Port("dataset", "dataset", help="Held-out rows."),
        Port("baseline", "model", optional=True, help="A model to compare with, such as the base model."),
        Port("reward", "reward", optional=True, help="What sampled completions are scored by."),
    )
    out_ports = (Port("report", "report", help="What was measured, for Compare."),)
    parameters = (
        whole("limit", None, "Rows that are measured at most; empty: all.", at_least=2, typical="200 to 1000"),
        whole("samples", 1, "Completions per prompt, whose mean reward counts.", at_least=1, typical="1 to 8"),
        number("temperature", 1.0, "Temperature of the samples; 0: the most likely tokens.", at_least=0, at_most=1000),
        whole("max_completion_length", 128, "Tokens of a sampled completion, at most.", at_least=1),
        whole("max_length", 1024, "Tokens of a row; what lies beyond is not measured.", at_least=2),
        whole("batch_size", 8, "Rows of one forward pass.", at_least=1),
        whole("seed", 42, "Seed of the samples.", at_least=0),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        model, rows, reward = (context.inputs.get(port) for port in ("model", "dataset", "reward"))
        assert isinstance(model, ModelValue)
        assert isinstance(rows, DatasetValue)
        inputs = {"model": model.expression, "rows": rows.expression}
        inputs |= load_options("load", model)
        if isinstance(baseline := context.inputs.get("baseline"), ModelValue):
            inputs |= {"baseline": baseline.expression, **load_options("baseline_load", baseline)}
        if isinstance(reward, RewardValue):
            inputs["rewards"] = reward_list(reward)
        inputs |= {name: literal(value) for name, value in context.changed(*SETTINGS).items()}
        cell = report_cell_of(context.name, f"{RUNTIME}.evaluation", "evaluate", **inputs)
        imports = cell.imports + (reward.imports if isinstance(reward, RewardValue) else ())
        return replace(cell, imports=imports, values={"report": Value(expression=context.name)})

    @classmethod
    def measures(cls, context: NodeContext) -> tuple[str, ...]:
        """A reward is called after its function, or after the node that gives the model."""
        reward = context.inputs.get("reward")
        parts = reward.parts if isinstance(reward, RewardValue) else ()
        kinds = ("reward", "reward_accuracy", *(("win_rate",) if "baseline" in context.inputs else ()))
        return (*MEASURES, *(f"{kind}/{name}" for kind in kinds for p in parts for name in (p.owner, p.symbol)))

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return few_rows(given)

    @classmethod
    def work(cls, context: NodeContext, rows: int, settings: Any) -> Work:
        return Work(rows=min(context["limit"] or rows, rows))

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows = context.inputs.get("dataset")
        if isinstance(rows, DatasetValue) and rows.columns is not None:
            yield from cls._unfit(context, rows.columns)

    @classmethod
    def read(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        for rows in seen.rows.values():
            yield from (Finding(place, wrong) for place, wrong in cls._unfit(context, tuple(rows.column_names)))

    @classmethod
    def _unfit(cls, context: NodeContext, columns: tuple[str, ...]) -> Iterator[Complaint]:
        there = ", ".join(map(repr, columns))
        if "reward" in context.inputs and "prompt" not in columns:
            yield "dataset", f"a reward needs the column 'prompt' to sample from; the dataset has {there}."
        if "reward" not in context.inputs and not any(set(columns) >= set(fitting) for fitting in FITTING):
            wanted = ", ".join(" + ".join(map(repr, fitting)) for fitting in FITTING)
            yield "dataset", f"nothing can be measured: needs {wanted}, or a reward; the dataset has {there}."


def load_options(name: str, model: ModelValue) -> dict[str, str]:
    """How a model is loaded, as the argument ``name``; none where there is nothing to say."""
    options = model.init_kwargs | ({"trust_remote_code": True} if model.trust_remote_code else {})
    return {name: literal(options)} if options else {}
