"""Functions of the user's that are arguments of a trainer: metrics of an evaluation, and rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.training.choices import arguments
from ryven_llm_nodes.catalogue.training.stage import Part
from ryven_llm_nodes.catalogue.values import ArgumentsValue

METRICS: Final = Port("metrics", "metrics", optional=True, help="A function of the predictions on the eval dataset.")
ROLLOUT: Final = Port("rollout", "rollout", optional=True, help="A function that samples the completions.")


def function_part(context: NodeContext) -> Iterator[Part]:
    """What is connected, as arguments of the trainer."""
    for port in (METRICS, ROLLOUT):
        value = context.inputs.get(port.name)
        if isinstance(value, ArgumentsValue):
            yield Part(value.arguments)


def function_complaints(context: NodeContext, trainer: str, source: str) -> Iterator[Complaint]:
    """Why what is connected cannot be used by the class ``trainer``, which the file ``source`` defines."""
    for port in (METRICS, ROLLOUT):
        value = context.inputs.get(port.name)
        if isinstance(value, ArgumentsValue):
            known = arguments(source, trainer)
            for argument in value.arguments:
                if argument not in known:
                    yield port.name, f"{trainer} of the installed TRL takes no {argument}; do without it."
    if isinstance(value := context.inputs.get(METRICS.name), ArgumentsValue):
        yield from _never_measured(context, value)


def _never_measured(context: NodeContext, value: ArgumentsValue) -> Iterator[Complaint]:
    """Settings with which metrics are not computed, or not in this way."""
    if "eval_dataset" not in context.inputs:
        yield METRICS.name, "is computed on evaluations: connect a dataset to the input 'eval dataset', or clear this."
    if context.given.get("eval_strategy") == "no":
        yield "eval_strategy", "is 'no', so that the metrics are never computed; set it to 'steps' or 'epoch'."
    if context["prediction_loss_only"]:
        yield "prediction_loss_only", "leaves no predictions to compute metrics of; clear it, or disconnect them."
    if context["batch_eval_metrics"] and not value.batched:
        yield "batch_eval_metrics", "needs a metrics function that also takes compute_result; add that argument."
