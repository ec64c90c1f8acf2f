"""A sweep as one HTML file that needs nothing else: all trials, each parameter against the metric, and the table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from markupsafe import Markup

from ryven_llm_nodes import __version__
from ryven_llm_nodes.quantities import duration, number
from ryven_llm_nodes.run.comparing.charts import Scale, padded, shortened, stroke, svg, text_at, tick
from ryven_llm_nodes.run.comparing.page import rendered
from ryven_llm_nodes.run.sweeping.along import Along, written
from ryven_llm_nodes.run.sweeping.study import Trial
from ryven_llm_nodes.run.sweeping.sweep import Plan, Result

WIDTH, HEIGHT = 460, 230
WIDE, TALL = 1000, 320
BAR: Final = 30
"""The height of a bar, and the space below it."""


def page(plan: Plan, result: Result) -> str:
    """A sweep as a page."""
    drawn = _Drawn(plan, result)
    names = list(plan.space.axes)
    return rendered(
        __package__,
        title=plan.space.graph.title,
        metric=str(plan.metric),
        direction="maximize" if plan.maximize else "minimize",
        trials=result.trials,
        failed=sum(trial.state == "failed" for trial in result.trials),
        pruned=sum(trial.state == "pruned" for trial in result.trials),
        time=duration(sum(trial.seconds for trial in result.trials)),
        how=f"Seed {plan.seed}; " + ("all combinations." if plan.space.size else "chosen by TPE."),
        best=_best(result.best),
        names=names,
        rows=[_row(trial, names, trial == result.best) for trial in result.trials],
        parallel=drawn.parallel() if drawn.done else "",
        importances=drawn.importances() if len(result.importances) > 1 else "",
        scatter=[{"title": name, "svg": drawn.scatter(name)} for name in names] if drawn.done else [],
        version=__version__,
        study=plan.study if plan.database else plan.folder.relative_to(plan.output_dir.parent),
    )


def _best(trial: Trial | None) -> dict[str, Any] | None:
    if trial is None or trial.value is None:
        return None
    settings = [(name, written(value)) for name, value in trial.values.items()]
    return {"value": number(trial.value), "number": trial.number + 1, "settings": settings}


def _row(trial: Trial, names: list[str], is_best: bool) -> dict[str, Any]:
    value = "" if trial.value is None else number(trial.value)
    about = {"number": trial.number + 1, "value": value, "time": duration(trial.seconds), "best": is_best}
    return {
        **about,
        "cells": [written(trial.values[name]) for name in names],
        "state": trial.state,
        "error": trial.error,
    }


class _Drawn:
    """The charts of a sweep."""

    def __init__(self, plan: Plan, result: Result) -> None:
        self.plan, self.result = plan, result
        self.done = [(trial, trial.value) for trial in result.trials if trial.value is not None]

    @cached_property
    def values(self) -> tuple[float, float]:
        """From the lowest to the highest metric."""
        return padded(*(end(value for _, value in self.done) for end in (min, max)))

    def scatter(self, name: str) -> Markup:
        """The metric against a parameter."""
        along = Along(self.plan.space.axes[name])
        across, up = Scale(*along.ends, 54, WIDTH - 12), Scale(*self.values, HEIGHT - 34, 12)
        marks = [part for value in up.ticks(4) for part in self._rule(value, up)]
        marks += [text_at(across(x), HEIGHT - 12, shortened(label, 12), "tick middle") for x, label in along.ticks()]
        for trial, value in sorted(self.done, key=lambda pair: pair[0] == self.result.best):
            tone = "better" if trial == self.result.best else "same"
            at = f'cx="{across(along(trial.values[name])):.1f}" cy="{up(value):.1f}"'
            marks.append(f'<circle class="dot {tone}" {at} r="5"><title>trial {trial.number + 1}</title></circle>')
        return svg(WIDTH, HEIGHT, f"{self.plan.metric} against {name}", marks)

    @staticmethod
    def _rule(value: float, up: Scale) -> tuple[str, str]:
        return stroke(54, up(value), WIDTH - 12, up(value), "grid"), text_at(46, up(value) + 4, tick(value), "tick end")

    def importances(self) -> Markup:
        """A bar for each parameter: how much it matters to being among the best trials."""
        shares = self.result.importances
        across = Scale(0, 1, 260, WIDE - 80)
        marks: list[str] = []
        for row, (name, share) in enumerate(shares.items()):
            y = 14 + BAR * row
            marks.append(text_at(248, y + 15, shortened(name, 34), "tick end"))
            size = f'x="{across(0):.1f}" y="{y}" width="{across(share) - across(0):.1f}" height="{BAR - 8}"'
            marks.append(f'<rect class="dot better" {size} rx="3"/>')
            marks.append(text_at(across(share) + 8, y + 15, f"{share:.0%}", "tick"))
        return svg(WIDE, 20 + BAR * len(shares), "importance of the parameters", marks)

    def parallel(self) -> Markup:
        """All trials, as lines through an axis for each parameter and one for the metric."""
        axes = {name: Along(axis) for name, axis in self.plan.space.axes.items()}
        places = Scale(0, len(axes), 110, WIDE - 110)
        scales = {name: Scale(*along.ends, TALL - 20, 44) for name, along in axes.items()}
        up = Scale(*self.values, TALL - 20, 44)
        marks = []
        for trial, value in sorted(self.done, key=lambda pair: pair[0] == self.result.best):
            heights = [scales[name](along(trial.values[name])) for name, along in axes.items()]
            points = " ".join(f"{places(i):.1f},{y:.1f}" for i, y in enumerate([*heights, up(value)]))
            marks.append(self._trial(trial, value, points))
        for i, (name, along) in enumerate(axes.items()):
            ticks = [(scales[name](at), label) for at, label in along.ticks()]
            marks += self._axis(places(i), name, ticks)
        marks += self._axis(places(len(axes)), str(self.plan.metric), [(up(at), tick(at)) for at in up.ticks(5)])
        return svg(WIDE, TALL, f"{len(self.done)} trials", marks)

    def _trial(self, trial: Trial, value: float, points: str) -> str:
        title = f"<title>trial {trial.number + 1}: {number(value)}</title>"
        if trial == self.result.best:
            return f'<polyline class="curve s2" style="stroke-width: 3.5" points="{points}">{title}</polyline>'
        low, high = self.values
        share = (value - low) / (high - low)
        good = share if self.plan.maximize else 1 - share
        return (
            f'<polyline class="curve s0" style="opacity: {0.15 + 0.6 * good:.2f}" points="{points}">{title}</polyline>'
        )

    @staticmethod
    def _axis(x: float, name: str, ticks: list[tuple[float, str]]) -> Iterator[str]:
        yield stroke(x, 36, x, TALL - 14, "zero")
        yield text_at(x, 20, shortened(name, 28), "name middle")
        yield from (text_at(x - 8, y + 4, shortened(label, 14), "tick end") for y, label in ticks)
