"""What is shown of earlier runs, read from their records: without widgets, for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.gui.curves.metric_names import evaluation_of, first_plots, metric_for
from ryven_llm_nodes.gui.curves.runs import STYLES, curve_of, name_of
from ryven_llm_nodes.gui.curves.series import Curve, Series
from ryven_llm_nodes.gui.style.colours import ACCENT
from ryven_llm_nodes.quantities import duration, number
from ryven_llm_nodes.run.chat.models import CONFIG
from ryven_llm_nodes.run.comparing.comparison import Comparison as Evaluations
from ryven_llm_nodes.run.comparing.comparison import comparison_of
from ryven_llm_nodes.run.comparing.found import evaluations_of
from ryven_llm_nodes.run.records.compare import Contrast, contrasts
from ryven_llm_nodes.run.records.facts import Facts, facts_of
from ryven_llm_nodes.run.records.history import PastRun, Points, past_runs
from ryven_llm_nodes.run.states import RunState

SETTINGS: Final = ("learning rate", "grad norm")
"""Plots whose last value says little about a model."""

Metrics = Mapping[str, Points]


@dataclass(frozen=True)
class StagePlots:
    """The plots of one stage by title; ``same`` if several runs logged the same values, so that there are none."""

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
    has_model: bool = False
    """Whether its folder holds a language model: one can talk to it, measure it, and train it further."""


@dataclass(frozen=True)
class Summary:
    """One run."""

    run: PastRun
    stages: Sequence[StageEnd]
    plots: Sequence[StagePlots]


@dataclass(frozen=True)
class Comparison:
    """Several runs, the oldest one first; ``evaluations`` if at least two models of theirs were measured."""

    runs: Sequence[PastRun]
    differences: Sequence[Contrast]
    plots: Sequence[StagePlots]
    evaluations: Evaluations | None = None


class RunsReader:
    """Reads the runs into ``outputs``; what does not change any more is read once."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self._known: dict[Path, tuple[PastRun, Facts]] = {}

    def read(self) -> list[tuple[PastRun, Facts]]:
        """The runs, newest first, with their facts, labels, and status, for which a lock is checked."""
        found = [(run, self._facts(run)) for run in past_runs(self.outputs)]
        for run, _ in found:
            run.status, run.label  # noqa: B018  # cached
        self._known = {run.folder: (run, facts) for run, facts in found}
        return found

    def _facts(self, run: PastRun) -> Facts:
        known = self._known.get(run.folder)
        has_ended = run.summary.get("status") != RunState.RUNNING
        return known[1] if known and has_ended and known[0].summary == run.summary else facts_of(run)


def summarize(run: PastRun) -> Summary:
    """All about one run."""
    metrics = {stage: run.metrics(stage) for stage in run.stages}
    trained = _with_models(run)
    ends = [_end(run, stage, about, metrics[stage], stage in trained) for stage, about in run.stages.items()]
    return Summary(run, ends, [_plots(stage, [(run, logged)]) for stage, logged in metrics.items() if logged])


def _with_models(run: PastRun) -> set[str]:
    """The stages that give a language model to other nodes."""
    steps = facts_of(run).steps.values()
    return {step.name for step in steps if any(port.kind == "model" for port in step.node.out_ports)}


def compare(runs: Sequence[PastRun]) -> Comparison:
    """All differences between several runs, and their results."""
    plots = []
    for stage in dict.fromkeys(stage for run in runs for stage in run.stages):
        logged = [(run, run.metrics(stage)) for run in runs]
        if any(metrics for _, metrics in logged):
            plots.append(_plots(stage, logged))
    return Comparison(runs, contrasts(runs), plots, _evaluations(runs))


def _evaluations(runs: Sequence[PastRun]) -> Evaluations | None:
    """What was measured in the runs side by side, if that is more than one model."""
    folders = evaluations_of(runs)
    return comparison_of(folders) if len(folders) > 1 else None


def _end(run: PastRun, stage: str, about: Mapping[str, Any], metrics: Metrics, trained: bool) -> StageEnd:
    seconds = about.get("seconds")
    took = duration(seconds) if isinstance(seconds, (int, float)) else ""
    shown = [(plot, metric_for(plot, metrics)) for plot in first_plots(metrics) if plot not in SETTINGS]
    last = ", ".join(f"{plot} {number(metrics[metric][-1][1])}" for plot, metric in shown if metric)
    folder = run.folder_of(stage)
    return StageEnd(stage, run.state(stage), took, last, folder, trained and (Path(folder) / CONFIG).is_file())


def _plots(stage: str, logged: Sequence[tuple[PastRun, Metrics]]) -> StagePlots:
    if len(logged) > 1 and all(metrics == logged[0][1] for _, metrics in logged):
        return StagePlots(stage, {}, same=True)
    titles = first_plots({name for _, metrics in logged for name in metrics})
    return StagePlots(stage, {title: _curves(title, logged) for title in titles})


def _curves(title: str, logged: Sequence[tuple[PastRun, Metrics]]) -> list[Curve]:
    curves = []
    for (run, metrics), style in zip(logged, STYLES, strict=False):
        metric = metric_for(title, metrics) or ""
        label = name_of(run) if len(logged) > 1 else metric
        for dashed, name in ((False, metric), (True, evaluation_of(metric))):
            if name in metrics and len(logged) > 1:
                curves.append(curve_of(f"{label} eval" if dashed else label, style, metrics[name], dashed, 0.0))
            elif name in metrics:
                curves.append(Curve(f"{label} eval" if dashed else label, ACCENT, Series(metrics[name]), dashed=dashed))
    return curves
