"""Shows a sweep on a terminal: its trials while they run, and the table at its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from shlex import quote
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.program.sweeping.space import Values
from ryven_llm_nodes.quantities import duration, number
from ryven_llm_nodes.run import CancelToken
from ryven_llm_nodes.run.events import Event
from ryven_llm_nodes.run.execute.stage import Place
from ryven_llm_nodes.run.states import in_words, tone_of
from ryven_llm_nodes.run.sweeping.along import written
from ryven_llm_nodes.run.sweeping.study import Trial
from ryven_llm_nodes.run.sweeping.sweep import Plan, Result, sweep
from ryven_llm_nodes.terminal.display import TONES, Display, keys, quiet_libraries


def run_sweep(plan: Plan, allow: Callable[[Graph], Any], place: Place) -> Result:
    """Runs a sweep with a display of each trial. Ctrl-C stops it within a step; the same command continues it.

    Raises Cancelled where it was stopped.
    """
    quiet_libraries()
    console, token = Console(stderr=True, soft_wrap=True), CancelToken()
    with keys(token, console), _displays(console) as (begins, listen):
        if plan.database:
            console.print(f"shared study: {plan.study}", highlight=False, markup=False)

        def began(trial: Trial) -> None:
            begins()
            title = f"trial {trial.number + 1} of {plan.trials}: {settings(trial.values)}"
            console.print(title, style="bold", highlight=False, markup=False)

        return sweep(plan, listen, began, allow, token, place)


@contextmanager
def _displays(console: Console) -> Iterator[tuple[Callable[[], None], Callable[[Event], None]]]:
    """A display for each trial: what starts the next one, and what is told of events."""
    with ExitStack() as stack:
        shown: list[Display] = []

        def begins() -> None:
            stack.close()
            shown.append(stack.enter_context(Display(console)))

        yield begins, lambda event: shown[-1](event)


def settings(values: Values) -> str:
    """Values as options of the command line."""
    return " ".join(f"--set {quote(f'{name}={written(value)}')}" for name, value in values.items())


def show_sweep(plan: Plan, result: Result, console: Console, as_json: bool) -> None:
    """The trials, best marked, and how to use its values; or all of it as JSON."""
    if as_json:
        console.print_json(json.dumps(_plain(plan, result)))
        return
    names = list(plan.space.axes)
    table = Table("#", *map(escape, names), escape(str(plan.metric)), "time", "", box=None, pad_edge=False)
    for trial in result.trials:
        table.add_row(*_row(trial, names, trial == result.best))
    console.print(table)
    for trial in result.trials:
        if trial.error:
            style = TONES[tone_of(trial.state)]
            console.print(f"trial {trial.number + 1}: {trial.error}", style=style, highlight=False, markup=False)
    if result.importances:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in result.importances.items())
        console.print(f"importance: {shares}", highlight=False, markup=False)
    if result.elsewhere:
        told = (
            f"not finished on other machines: {result.elsewhere} of {len(result.trials)}; give the command again later."
        )
        console.print(told, style=TONES["warn"])
    if result.best:
        console.print(f"best: trial {result.best.number + 1}: {settings(result.best.values)}", highlight=False)


def _row(trial: Trial, names: list[str], is_best: bool) -> Iterator[str | Text]:
    style = "bold green" if is_best else ""
    values = (written(trial.values[name]) for name in names)
    metric = number(trial.value) if trial.value is not None else ""
    state = Text("best", style) if is_best else Text(in_words(trial.state), TONES[tone_of(trial.state)])
    cells = (str(trial.number + 1), *values, metric, duration(trial.seconds))
    yield from (Text(cell, style) for cell in cells)
    yield state


def _plain(plan: Plan, result: Result) -> dict[str, Any]:
    return {
        "metric": str(plan.metric),
        "direction": "maximize" if plan.maximize else "minimize",
        "best": result.best.to_dict() if result.best else None,
        "trials": [trial.to_dict() for trial in result.trials],
        "importances": result.importances,
        "study": plan.study,
    }
