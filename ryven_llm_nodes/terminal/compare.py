"""Shows evaluations side by side on a terminal, and writes the same table as CSV, Markdown or HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from ryven_llm_nodes.run.comparing.comparison import COLUMNS, Comparison, notes_of, outcome
from ryven_llm_nodes.run.comparing.page import page
from ryven_llm_nodes.run.comparing.votes import Tally
from ryven_llm_nodes.system.files import write_whole

STYLES: Final = {"better": "green", "worse": "red", "same": "dim"}
MARKS: Final = {"better": " * better", "worse": " * worse", "same": ""}


def show_compared(comparison: Comparison, console: Console, as_json: bool, votes: Tally | None = None) -> None:
    """The table, with blind votes if there are any; or all of it as JSON."""
    if as_json:
        folders = {name: str(folder) for name, folder in comparison.folders.items()}
        seeds = {"over_seeds": comparison.over_seeds} if comparison.over_seeds else {}
        voted = {"votes": {**votes.votes, "ties": votes.ties}} if votes else {}
        console.print_json(json.dumps({**comparison.table, **seeds, **voted, "folders": folders}))
        return
    first = comparison.table["compared_with"]
    headings = ("mean", f"difference from {escape(first)}")
    table = Table(Column("", no_wrap=True), *headings, box=None, pad_edge=False)
    for measure in comparison.measures:
        table.add_row(Text(measure, "bold"))
        for model in comparison.models:
            table.add_row(f"  {escape(model)}", *_row(comparison, model, measure))
    console.print(table)
    console.print("\n".join(notes_of(comparison)), style="dim", highlight=False, markup=False)
    if comparison.over_seeds:
        console.print(_seeds_table(comparison))
    if votes:
        console.print(_votes_table(votes))


def _seeds_table(comparison: Comparison) -> Table:
    """The differences with each seed, and the interval of their mean."""
    first = comparison.table["compared_with"]
    title = f"Differences from {first} over seeds, with 95 % intervals (Student's t)"
    table = Table("", "", "mean", "each", box=None, pad_edge=False, title=title, title_justify="left")
    for name, measures in comparison.over_seeds.items():
        for measure, of in measures.items():
            mean = f"{of['value']:+.3g} [{of['low']:+.3g}, {of['high']:+.3g}]"
            each = ", ".join(f"{value:+.3g}" for value in of["values"])
            table.add_row(escape(name), escape(measure), Text(mean), each)
    return table


def _votes_table(votes: Tally) -> Table:
    """The votes of each model, and its share of those that are no ties."""
    title = f"{votes.total} blind votes, {votes.ties} of them ties"
    table = Table("", "votes", "share", box=None, pad_edge=False, title=title, title_justify="left")
    for name, count in votes.votes.items():
        share, low, high = votes.share(name)
        table.add_row(escape(name), str(count), Text(f"{share:.0%} [{low:.0%}, {high:.0%}]"))
    return table


def _row(comparison: Comparison, model: str, measure: str) -> Iterator[Text]:
    """The cells of a measure of a model."""
    value = comparison.models[model].get(measure)
    if value is not None:
        yield Text(f"{value['value']:.4g} [{value['low']:.4g}, {value['high']:.4g}]")
    if of := comparison.difference(model, measure):
        change = f"{of['value']:+.3g} [{of['low']:+.3g}, {of['high']:+.3g}]"
        yield Text(f"{change}{MARKS[outcome(of)]}", STYLES[outcome(of)])


def written(comparison: Comparison) -> str:
    """The table as CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(comparison.rows())
    return file.getvalue()


def write_compared(
    comparison: Comparison, as_csv: Path | None, html: Path | None, markdown: Path | None
) -> Iterator[Path]:
    """Writes the table into the files that are given, and yields each. Raises UsageError."""
    makers = ((as_csv, written), (html, page), (markdown, lambda made: made.table["markdown"]))
    for file, make in makers:
        if file is not None:
            write_whole(file, make(comparison))
            yield file
