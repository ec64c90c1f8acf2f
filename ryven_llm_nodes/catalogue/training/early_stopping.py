"""Early stopping and the best checkpoint as one switch: its parameter, what it sets, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint, Finding
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON, whole
from ryven_llm_nodes.catalogue.training.stage import EXTRA_STEPS, PARTIAL, Part
from ryven_llm_nodes.errors import Remedy, shown

EARLY: Final = whole(
    "early_stopping",
    None,
    "Evaluations without improvement after which training ends; the best checkpoint is then the model, also if it ends "
    "otherwise. Evaluates every eval_steps steps. Empty: off, the last weights are the model.",
    at_least=1,
    typical="2 to 5",
    empty="off",
)
EVERY: Final = 50
"""Steps between two evaluations, where nothing else is set."""
INTERVALS: Final = ("steps", "epoch")


def patience(context: NodeContext) -> int | None:
    """The evaluations without improvement that a trainer waits for; None where it trains to its end."""
    return context[EARLY.name] if context.has(EARLY.name) else None


def early_settings(context: NodeContext, metric: str) -> dict[str, JSON]:
    """The fields that it sets, of those that the user has not set; ``metric`` is what the best checkpoint is best in.

    A resumed training counts from where it was stopped.
    """
    if not patience(context):
        return {}
    when = context.given.get("eval_strategy", "steps")
    steps = context.given.get("eval_steps", EVERY)
    wanted = {"eval_strategy": when, "save_strategy": when} | (
        {"eval_steps": steps, "save_steps": steps} if when == "steps" else {}
    )
    wanted |= {"load_best_model_at_end": True, "metric_for_best_model": metric, "save_total_limit": 2}
    wanted |= {"restore_callback_states_from_checkpoint": True}
    return {name: context.given.get(name, value) for name, value in wanted.items()}


def early_part(context: NodeContext) -> Iterator[Part]:
    """What ends the training."""
    if count := patience(context):
        imports = (f"from {RUNTIME}.early_stopping import stop_early", *PARTIAL)
        yield Part({"fit": call("partial", "stop_early", patience=literal(count))}, imports)


def early_complaints(context: NodeContext) -> Iterator[Complaint]:
    """What it needs of other settings."""
    if not patience(context):
        return
    given = context.given
    if "eval_dataset" not in context.inputs:
        yield EARLY.name, "is decided by evaluations: connect a dataset to the input 'eval dataset', or clear this."
    if context[EXTRA_STEPS]:
        yield EARLY.name, "ends a training that extra_steps would continue; clear one of the two."
    for name in ("eval_strategy", "save_strategy"):
        if name in given and given[name] not in INTERVALS:
            yield name, f"must be 'steps' or 'epoch' with early_stopping, got {shown(given[name])}."
    if given.get("load_best_model_at_end") is False:
        yield "load_best_model_at_end", "is what early_stopping sets; clear one of the two."
    if given.get("save_only_model"):
        yield "save_only_model", "leaves out what a stopped training resumes from; clear it, or early_stopping."


def early_findings(context: NodeContext, evaluations: int, steps: Any) -> Iterator[Finding]:
    """A warning if there are too few evaluations for it to end anything."""
    count = patience(context)
    if count and steps and evaluations <= count:
        text = f"waits for {count} evaluations without improvement, but there are {evaluations} in all ({steps} steps)."
        better = max(steps // (3 * count), 1)
        remedy = Remedy("eval_steps", better) if context.given.get("eval_strategy", "steps") == "steps" else None
        yield Finding(EARLY.name, f"{text} Set eval_steps {better}, or train longer.", "warning", remedy=remedy)
