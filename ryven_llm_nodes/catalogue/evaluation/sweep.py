"""Sweep: runs of the flow with other values of its parameters, until the best are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, text, whole
from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
from ryven_llm_nodes.errors import shown

DIRECTIONS: Final = ("maximize", "minimize")
SETTING: Final = re.compile(r"\w+\.\w+\s*=.+")
METRIC: Final = re.compile(r"\w+\..+")


class Sweep(LLMNode):
    """Says what a sweep of the flow varies, and what it optimizes: any parameters of any nodes, one measure.

    Optuna chooses the values: all combinations where there are only lists, else by TPE (Bergstra et al., "Algorithms
    for Hyper-Parameter Optimization", 2011). Stages that trials share run once. It is no part of a run or of a script:
    the window Sweep of the editor, or ``ryven-llm sweep FLOW``, starts it, and continues one that was stopped. One
    without values describes no sweep yet.
    """

    title = "Sweep"
    stem = "sweep"
    icon, accent = "sweep", "output"
    position = 5
    tags = ["sweep", "search", "tune", "hyperparameter", "optuna", "range", "grid", "best", "trial"]
    in_ports = (Port("report", "report", optional=True, help="The evaluation whose measure is optimized."),)
    parameters = (
        text(
            "vary",
            "",
            "A line for each parameter: NODE.PARAM=A,B,C for some values, NODE.PARAM=LOW..HIGH for a range, with :log "
            "after it for one that is even in its logarithm. A parameter's menu in the inspector adds its line.",
            widget="text",
            typical="dpo.beta=0.05,0.1,0.3 or dpo.learning_rate=1e-6..1e-4:log",
        ),
        text(
            "metric",
            "",
            "What is optimized: a measure of the wired evaluation, such as preference_accuracy or reward/judge; or "
            "NODE.METRIC, the last value that a stage logs.",
            typical="loss, preference_accuracy, or dpo.eval_loss",
        ),
        choice("direction", "maximize", DIRECTIONS, "Whether a large or a small value of the metric is good."),
        whole(
            "trials",
            None,
            "How many runs; needed where there is a range.",
            at_least=1,
            empty="all combinations",
            typical="12 to 50",
        ),
        text(
            "prune",
            "",
            "NODE.METRIC that a trainer logs: a trial that is worse there than the median of the others at the same "
            "step is ended.",
        ),
        whole("seed", 0, "Seed of what is tried.", at_least=0),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        return Cell()

    @classmethod
    def sweep_settings(cls, context: NodeContext) -> SweepSettings:
        lines = (line.strip() for line in str(context["vary"]).splitlines())
        return SweepSettings(
            vary=tuple(line for line in lines if line),
            metric=str(context["metric"]).strip(),
            measured="report",
            maximize=context["direction"] == "maximize",
            trials=context["trials"],
            seed=context["seed"],
            prune=str(context["prune"]).strip(),
        )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        wanted = cls.sweep_settings(context)
        for line in wanted.vary:
            if not SETTING.fullmatch(line):
                yield "vary", f"{shown(line)} is no setting; write NODE.PARAM=VALUES, such as dpo.beta=0.1,0.3."
        if wanted.prune and not METRIC.fullmatch(wanted.prune):
            yield "prune", "is no metric of a trainer; write NODE.METRIC, such as dpo.loss."
        if wanted.vary and not wanted.metric:
            yield "metric", "is empty; say what to optimize."
        if wanted.metric and "." not in wanted.metric and wanted.measured not in context.inputs:
            yield "metric", "names a measure, but no evaluation is connected; connect one, or write NODE.METRIC."
