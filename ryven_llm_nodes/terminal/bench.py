"""Shows what rewards give to completions: a row for each completion, a row for each reward, failures and warnings."""

from __future__ import annotations

import json
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ryven_llm_nodes.errors import clipped, one_line, printable
from ryven_llm_nodes.run.rewards.bench import Bench, as_data

LONGEST: Final = 60


def show_bench(bench: Bench, console: Console, as_json: bool = False) -> None:
    """Prints ``bench``."""
    if as_json:
        console.print_json(json.dumps(as_data(bench), default=str))
        return
    console.print(f"{len(bench.tried)} completions from {bench.source}", highlight=False, markup=False)
    console.print(_rows(bench))
    console.print(_rewards(bench))
    for score in bench.scores:
        for number, failure in score.failures.items():
            console.print(
                f"error: {score.reward}, row {number + 1}: {failure}", style="red", highlight=False, markup=False
            )
        if score.printed:
            said = "\n".join(map(printable, score.printed.splitlines()))
            console.print(f"{score.reward} printed:\n{said}", style="dim", highlight=False, markup=False)
    for warning in bench.warnings():
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)


def _rows(bench: Bench) -> Table:
    table = Table("row", "prompt", "completion", *(score.reward for score in bench.scores), box=None, pad_edge=False)
    if len(bench.scores) > 1:
        table.add_column("total")
    for number, (tried, total) in enumerate(zip(bench.tried, bench.totals, strict=True)):
        scores = [_number(score.values[number]) for score in bench.scores]
        scores += [_number(total)] if len(bench.scores) > 1 else []
        table.add_row(str(number + 1), str(tried.group + 1), Text(_text(tried.completion)), *scores)
    return table


def _rewards(bench: Bench) -> Table:
    table = Table("reward", "weight", "mean", "spread within groups", "seconds per call", box=None, pad_edge=False)
    for score in bench.scores:
        spread = score.spread(bench.groups)
        mean = sum(spread) / len(spread)
        table.add_row(score.reward, f"{score.weight:g}", _number(score.mean), _number(mean), f"{score.seconds:.3g}")
    return table


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value[-1].get("content", "")) if value else ""
    return clipped(printable(one_line(text)), LONGEST)


def _number(value: float) -> str:
    return f"{value:.3g}" if value == value else "-"
