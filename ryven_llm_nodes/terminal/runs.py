"""Shows the run history on a terminal: a list, one run, or two side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ryven_llm_nodes.quantities import duration, size
from ryven_llm_nodes.run.records.compare import Curves, curves, differences
from ryven_llm_nodes.run.records.history import PastRun, Points, past_runs
from ryven_llm_nodes.run.states import in_words, tone_of
from ryven_llm_nodes.run.store.kept import kept_below
from ryven_llm_nodes.terminal.display import SHOWN_METRICS, TONES, metrics_line

BLOCKS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 24


def show_runs(found: Sequence[PastRun], folder: Path, console: Console) -> None:
    """Two runs compared, one in full, or, if none was found by name, all that are recorded in ``folder``."""
    if len(found) == 2:
        show_comparison(found[0], found[1], console)
    elif found:
        show_run(found[0], console)
    elif known := past_runs(folder):
        show_list(known, console)
    else:
        console.print(f"no runs are recorded in {folder}", highlight=False, markup=False)


def show_kept(folder: Path, clear: bool, console: Console) -> None:
    """The cached stages below ``folder``, with their sizes; ``clear`` deletes them."""
    found = list(kept_below(folder))
    table = Table("stage", "state", "since", "size")
    for stage in found:
        table.add_row(str(stage.output_dir / stage.title), stage.state, stage.since, size(stage.size))
        if clear:
            stage.delete()
    console.print(table if found else f"nothing is cached in {folder}")
    if clear and found:
        console.print(f"deleted {len(found)} stages", highlight=False)


def show_list(runs: Sequence[PastRun], console: Console) -> None:
    """One line per run, newest first, with the number by which it can be named."""
    table = Table("#", "run", "flow", "status", "time", "stages", box=None, pad_edge=False)
    for number, run in enumerate(runs, 1):
        stages = ", ".join(f"{name} {in_words(run.state(name))}" for name in run.stages)
        table.add_row(str(number), _named(run), escape(run.flow), _status(run), duration(run.seconds), stages)
    console.print(table)


def _named(run: PastRun) -> Text:
    """Its name, and the one that its user gave it."""
    return Text.assemble(run.name, (f"  {run.label.name}" if run.label.name else "", "bold"))


def _status(run: PastRun) -> Text:
    return Text(in_words(run.status), TONES[tone_of(run.status)])


def show_run(run: PastRun, console: Console) -> None:
    """One run: how it ended, and for each stage its state, its last metrics, and its model."""
    console.print(Text.assemble(f"{run.name}: flow {run.flow!r}, {run.began}, {duration(run.seconds)}, ", _status(run)))
    for line in filter(None, (run.label.name, *run.label.note.splitlines())):
        console.print(line, style="bold" if line == run.label.name else "", markup=False, highlight=False)
    for line in run.error:
        console.print(line, style="red", markup=False, highlight=False)
    for line in run.warnings:
        console.print(f"warning: {line}", style="yellow", markup=False, highlight=False)
    table = Table("stage", "state", "time", "final metrics", "model", box=None, pad_edge=False)
    for name, about in run.stages.items():
        last = {metric: points[-1][1] for metric, points in run.metrics(name).items()}
        table.add_row(name, in_words(run.state(name)), _time(about), metrics_line(last), escape(run.folder_of(name)))
    console.print(table)
    for name in run.stages:
        for service, place in run.tracking(name).items():
            console.print(f"{name}: {service} {place}".rstrip(), markup=False, highlight=False)
    console.print(f"record: {run.folder}", markup=False, highlight=False)


def _time(about: Mapping[str, Any]) -> str:
    return duration(about["seconds"]) if isinstance(about.get("seconds"), (int, float)) else ""


def show_comparison(first: PastRun, second: PastRun, console: Console) -> None:
    """The differences between two runs, then their curves side by side on one scale."""
    found = differences(first, second)
    names = [f"{run.name} ({in_words(run.status)})" for run in (first, second)]
    table = Table("differences", *names, box=None, pad_edge=False)
    for difference in found:
        table.add_row(escape(difference.where), escape(difference.first), escape(difference.second))
    console.print(table if found else f"{names[0]} and {names[1]}: same flow, data and versions")
    for difference in found:
        _show_details(difference.where, difference.details, console)
    console.print()
    console.print(_curves_table(list(curves(first, second, tuple(name for name, _ in SHOWN_METRICS))), names))


def _show_details(where: str, lines: Sequence[str], console: Console) -> None:
    if lines:
        console.print(f"\n{where}", style="bold", markup=False, highlight=False)
    for line in lines:
        style = {"-": "red", "+": "green", "@": "cyan"}.get(line[:1], "")
        console.print(f"  {line}", style=style, markup=False, highlight=False)


def _curves_table(found: Sequence[Curves], names: Sequence[str]) -> Table:
    table = Table("stage", "metric", *names, "change", box=None, pad_edge=False)
    labels = dict(SHOWN_METRICS)
    for pair in (pair for pair in found if pair.stage not in _same(found)):
        values = [value for _, value in (*pair.first, *pair.second)]
        cells = [_curve_cell(points, min(values), max(values)) for points in (pair.first, pair.second)]
        change = f"{pair.second[-1][1] - pair.first[-1][1]:+.4g}" if pair.first and pair.second else ""
        table.add_row(pair.stage, labels[pair.metric], *cells, change)
    for stage in _same(found):
        table.add_row(stage, "all", "the same curves", "the same curves", "")
    return table


def _same(found: Sequence[Curves]) -> list[str]:
    """The stages in which all curves are the same."""
    stages = dict.fromkeys(pair.stage for pair in found)
    return [stage for stage in stages if all(p.first == p.second for p in found if p.stage == stage)]


def _curve_cell(points: Points, lowest: float, highest: float) -> str:
    return f"{sparkline(points, lowest, highest)}  {points[-1][1]:.4g}" if points else ""


def sparkline(points: Points, lowest: float, highest: float) -> str:
    """``points`` as blocks between ``lowest`` and ``highest``, at most :data:`WIDTH` of them; each is a mean."""
    values = [value for _, value in points]
    count = min(len(values), WIDTH)
    bounds = [round(i * len(values) / (count or 1)) for i in range(count + 1)]
    means = (sum(values[a:b]) / (b - a) for a, b in pairwise(bounds))
    scale = (len(BLOCKS) - 1) / (highest - lowest) if highest > lowest else 0.0
    return "".join(BLOCKS[min(max(round((mean - lowest) * scale), 0), len(BLOCKS) - 1)] for mean in means)
