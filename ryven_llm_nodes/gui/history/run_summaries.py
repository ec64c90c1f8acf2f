"""What is shown of earlier runs, read from their records: without widgets, for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.gui.curves.metric_names import evaluation_of, first_plots, metric_for
from ryven_llm_nodes.gui.curves.series import Curve, Series
from ryven_llm_nodes.gui.style.colours import ACCENT, WARN
from ryven_llm_nodes.quantities import duration, number
from ryven_llm_nodes.run.records.compare import Difference, differences
from ryven_llm_nodes.run.records.history import PastRun, Points, past_runs

RUN_COLOURS: Final = (ACCENT, WARN)
"""The first run's, and the second one's."""

SETTINGS: Final = ("learning rate", "grad norm")
"""Plots whose last value says little about a model."""

Metrics = Mapping[str, Points]


@dataclass(frozen=True)
class StagePlots:
    """The plots of one stage by title; ``same`` if two runs logged the same values, so that there are none."""

    stage: str
    plots: Mapping[str, Sequence[Curve]]
    same: bool = False


@dataclass(frozen=True)
class StageEnd:
    """How a stage of a run ended."""

    stage: str
    state: str
    took: str
    metrics: str
    folder: str


@dataclass(frozen=True)
class Summary:
    """One run."""

    run: PastRun
    stages: Sequence[StageEnd]
    plots: Sequence[StagePlots]


@dataclass(frozen=True)
class Comparison:
    """Two runs, the older one first."""

    runs: tuple[PastRun, PastRun]
    differences: Sequence[Difference]
    plots: Sequence[StagePlots]


def list_runs(outputs: Path) -> list[PastRun]:
    """The runs into ``outputs``, newest first, with their status, for which a lock is checked."""
    runs = past_runs(outputs)
    for run in runs:
        run.status  # noqa: B018  # cached
    return runs


def summarize(run: PastRun) -> Summary:
    """All about one run."""
    metrics = {stage: run.metrics(stage) for stage in run.stages}
    ends = [_end(run, stage, about, metrics[stage]) for stage, about in run.stages.items()]
    return Summary(run, ends, [_plots(stage, [(run, logged)]) for stage, logged in metrics.items() if logged])


def compare(first: PastRun, second: PastRun) -> Comparison:
    """All differences between two runs, and their results."""
    plots = []
    for stage in dict.fromkeys([*first.stages, *second.stages]):
        logged = [(run, run.metrics(stage)) for run in (first, second)]
        if any(metrics for _, metrics in logged):
            plots.append(_plots(stage, logged))
    return Comparison((first, second), differences(first, second), plots)


def _end(run: PastRun, stage: str, about: Mapping[str, Any], metrics: Metrics) -> StageEnd:
    seconds = about.get("seconds")
    took = duration(seconds) if isinstance(seconds, (int, float)) else ""
    shown = [(plot, metric_for(plot, metrics)) for plot in first_plots(metrics) if plot not in SETTINGS]
    last = ", ".join(f"{plot} {number(metrics[metric][-1][1])}" for plot, metric in shown if metric)
    return StageEnd(stage, run.state(stage), took, last, run.folder_of(stage))


def _plots(stage: str, logged: Sequence[tuple[PastRun, Metrics]]) -> StagePlots:
    if len(logged) == 2 and logged[0][1] == logged[1][1]:
        return StagePlots(stage, {}, same=True)
    titles = first_plots({name for _, metrics in logged for name in metrics})
    return StagePlots(stage, {title: _curves(title, logged) for title in titles})


def _curves(title: str, logged: Sequence[tuple[PastRun, Metrics]]) -> list[Curve]:
    curves = []
    for (run, metrics), colour in zip(logged, RUN_COLOURS, strict=False):
        metric = metric_for(title, metrics) or ""
        label = run.folder.name if len(logged) > 1 else metric
        for dashed, name in ((False, metric), (True, evaluation_of(metric))):
            if name in metrics:
                curves.append(Curve(f"{label} eval" if dashed else label, colour, Series(metrics[name]), dashed=dashed))
    return curves
