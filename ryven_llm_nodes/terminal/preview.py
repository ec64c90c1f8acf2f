"""Shows rows on a terminal: a dataset as a table, and a row as the tokens that a trainer makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.opened import Opened, opened
from ryven_llm_nodes.run.examine.preview import (
    Histogram,
    Overview,
    Piece,
    RowPreview,
    TablePreview,
    as_data,
    chosen_row,
    overview,
    row_preview,
    table,
)

STYLES: Final[Mapping[str, str]] = {"trained": "bold green", "context": "", "cut": "red strike"}
MARKS: Final[Mapping[str, tuple[str, str]]] = {"trained": ("[[", "]]"), "context": ("", ""), "cut": ("{{", "}}")}
"""What stands for the styles where there are no colours."""
LEGEND: Final = "trained tokens are [[marked]], tokens beyond max_length {{so}}; the others are only read"
BAR: Final = 32
ROWS: Final = 3


def show_preview(program: Program, step: Step, wanted: str | None, as_json: bool, console: Console) -> None:
    """The rows of ``step``: of a dataset some as they are, of a trainer one as it is trained.

    ``wanted`` names the row (a number, ``random`` or ``worst``). Raises FlowError for what cannot be loaded.
    """
    with opened(program) as found:
        made = list(_previews(found, step, wanted))
    if as_json:
        console.print_json(json.dumps([as_data(one) for one in made], default=str))
        return
    for one in made:
        SHOW[type(one)](one, console)


def _previews(found: Opened, step: Step, wanted: str | None) -> Iterator[TablePreview | Overview | RowPreview]:
    if found.trains(step):
        yield overview(found, step)
        yield row_preview(found, step, chosen_row(found, step, wanted or "1"))
    elif any(port.kind == "dataset" for port in (*step.node.out_ports, *step.node.in_ports)):
        yield table(found, step, int(wanted or 1), 1 if wanted else ROWS)
    else:
        raise FlowError([step.problem("has no rows to look at; choose a dataset or a trainer.")])


# A dataset


def _show_table(preview: TablePreview, console: Console) -> None:
    kind = preview.format or "no format of TRL: see Convert Format and Map Columns"
    console.print(f"{preview.node}: {preview.total} rows; {kind}", markup=False, highlight=False)
    columns = Table("column", "type", box=None, pad_edge=False)
    for name, type_name in preview.columns.items():
        columns.add_row(Text(name), Text(type_name))
    console.print(columns)
    for number, row in enumerate(preview.rows, preview.first):
        console.print(f"row {number}", style="bold", highlight=False)
        for name, value in row.items():
            console.print(Text(f"  {name}: {_as_text(value)}"))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


# What a trainer makes of rows


def _show_overview(preview: Overview, console: Console) -> None:
    sample = "all" if preview.looked_at == preview.total else f"{preview.looked_at} of {preview.total}"
    console.print(f"{preview.node}: {preview.total} rows, {sample} looked at", markup=False, highlight=False)
    for line in _losses(preview):
        console.print(f"  {line}", style="yellow", markup=False, highlight=False)
    if preview.lengths:
        _show_lengths(preview.lengths, console)


def _losses(preview: Overview) -> Iterator[str]:
    if preview.rows_cut:
        yield f"{preview.rows_cut} rows are longer than max_length, and are cut"
    if preview.dropped:
        numbers = ", ".join(map(str, preview.dropped[:5])) + (", ..." if len(preview.dropped) > 5 else "")
        yield f"{len(preview.dropped)} rows are dropped, since nothing that is trained is left of them: {numbers}"
    elif preview.untrained:
        yield f"{preview.untrained} rows have no token that is trained"


def _show_lengths(lengths: Histogram, console: Console) -> None:
    console.print(f"tokens a sequence: median {lengths.median}, at most {lengths.most}", highlight=False)
    most = max(lengths.counts)
    for start, end, count in zip(lengths.edges, lengths.edges[1:], lengths.counts, strict=False):
        bar = "#" * -(-count * BAR // most)
        console.print(f"  {start:>6} to {end - 1:<6} {count:>4} {bar}", markup=False, highlight=False)


def _show_row(preview: RowPreview, console: Console) -> None:
    dropped = " (dropped)" if preview.dropped else ""
    console.print(f"row {preview.row}{dropped}", style="bold", highlight=False)
    if not console.is_terminal:
        console.print(LEGEND, markup=False, highlight=False)
    for part, made in preview.sequences:
        if len(preview.sequences) > 1:
            console.print(f"{part}:", style="bold", highlight=False)
        console.print(_coloured(made) if console.is_terminal else Text(_marked(made)))


def _coloured(made: tuple[Piece, ...]) -> Text:
    return Text.assemble(*((piece.text, STYLES[piece.kind]) for piece in made))


def _marked(made: tuple[Piece, ...]) -> str:
    text, kind = "", "context"
    for piece in made:
        if piece.kind != kind:
            text += MARKS[kind][1] + MARKS[piece.kind][0]
        text, kind = text + piece.text, piece.kind
    return text + MARKS[kind][1]


SHOW: Final[Mapping[type, Any]] = {TablePreview: _show_table, Overview: _show_overview, RowPreview: _show_row}
