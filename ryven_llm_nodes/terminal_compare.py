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
from rich.table import Table
from rich.text import Text

from ryven_llm_nodes.quantities import number
from ryven_llm_nodes.run.comparing.comparison import COLUMNS, Comparison, outcome
from ryven_llm_nodes.run.comparing.page import page
from ryven_llm_nodes.system.files import write_whole

STYLES: Final = {"better": "green", "worse": "red", "same": "dim"}
MARKS: Final = {"better": " * better", "worse": " * worse", "same": ""}


def show_compared(comparison: Comparison, console: Console, as_json: bool) -> None:
    """The table, or all of it as JSON."""
    if as_json:
        folders = {name: str(folder) for name, folder in comparison.folders.items()}
        seeds = {"over_seeds": comparison.over_seeds} if comparison.over_seeds else {}
        console.print_json(json.dumps({**comparison.table, **seeds, "folders": folders}))
        return
    table = Table("", box=None, pad_edge=False)
    for model in comparison.models:
        table.add_column(escape(model), no_wrap=True)
    for measure in comparison.measures:
        table.add_row(escape(measure), *(_cell(comparison, model, measure) for model in comparison.models))
    console.print(table)
    console.print("\n".join(_notes(comparison)), style="dim", highlight=False, markup=False)
    if comparison.over_seeds:
        console.print(_seeds_table(comparison))


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


def _cell(comparison: Comparison, model: str, measure: str) -> Text:
    value = comparison.models[model].get(measure)
    if value is None:
        return Text("-")
    text = Text(f"{number(value['value'])}\n[{number(value['low'])}, {number(value['high'])}]\n")
    if of := comparison.difference(model, measure):
        change = f"{of['value']:+.3g}{MARKS[outcome(of)]}\n[{of['low']:+.3g}, {of['high']:+.3g}]\n"
        text.append(change, STYLES[outcome(of)])
    return text


def _notes(comparison: Comparison) -> Iterator[str]:
    """What the table's text says below it."""
    lines = comparison.table["markdown"].splitlines()
    end = max(i for i, line in enumerate(lines) if not line)
    yield from lines[end + 1 :]


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
