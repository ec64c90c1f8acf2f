"""Metrics Function: a Python function of the user's that measures the predictions of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.function_node import ArgumentNode
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import text
from ryven_llm_nodes.catalogue.usercode import CodeError, UserCode, read_code

TOKEN_ACCURACY: Final = '''def token_accuracy(prediction):
    """The share of tokens that the model finds the most likely ones; no label (-100), no token."""
    logits, labels = prediction.predictions[:, :-1], prediction.label_ids[:, 1:]
    hits = logits.argmax(-1) == labels
    return {"token_accuracy": float(hits[labels != -100].mean())}
'''


class MetricsFunction(ArgumentNode):
    """Metrics of your own while a model trains: TRL's ``compute_metrics``, called at each evaluation.

    The function gets an ``EvalPrediction`` of transformers, with ``predictions`` and ``label_ids`` as arrays, and
    returns numbers by name, which are logged, plotted and usable for ``metric_for_best_model`` as ``eval_<name>``. SFT
    gives logits and labels, DPO those of the chosen rows of a batch and then of the rejected ones, Train Reward Model
    the scores in that order, and no labels. A wrong function is found at the first evaluation: ``eval_on_start`` makes
    that the beginning. TRL says that it will drop logits from SFT and DPO in its version 2.
    """

    title = "Metrics Function"
    stem = "metrics"
    position = 4
    accent = "output"
    tags = ["metrics", "compute_metrics", "evaluation", "accuracy", "function", "python", "code"]
    argument = "compute_metrics"
    called_with = ("the prediction",)
    out_ports = (Port("metrics", "metrics"),)
    parameters = (
        text("code", TOKEN_ACCURACY, "Python that defines the function, with its imports and helpers.", widget="code"),
        text("function", "", "Name of the function to use; empty: the last one that the code defines."),
        text(
            "preprocess",
            "",
            "Name of a function of the code that makes the logits of a batch smaller, (logits, labels) -> tensor, such "
            "as their argmax; empty: all are kept in memory, rows x tokens x vocabulary. For SFT and reward models.",
        ),
    )

    @classmethod
    def arguments(cls, context: NodeContext, code: UserCode) -> Mapping[str, str]:
        smaller = {"preprocess_logits_for_metrics": context["preprocess"]} if context["preprocess"] else {}
        return super().arguments(context, code) | smaller

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        found = list(super().drawn(context))
        yield from found
        if not found and context["preprocess"]:
            try:
                read_code(context["code"], context["preprocess"])
            except CodeError as error:
                yield "preprocess", str(error)
