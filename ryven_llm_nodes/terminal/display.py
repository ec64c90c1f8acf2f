"""Shows a run on a terminal: a progress bar and live metrics of every stage, or plain lines without a terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.syntax import Syntax
from rich.table import Column, Table

from ryven_llm_nodes.errors import Cancelled, Problem
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run import CancelToken, Outcome, events, run_program
from ryven_llm_nodes.run.states import RunState, in_words
from ryven_llm_nodes.run.trust.seen import Foreign

SHOWN_METRICS: Final = (
    ("loss", "loss"),
    ("eval_loss", "eval loss"),
    ("mean_token_accuracy", "token accuracy"),
    ("raw_reward", "reward"),
    ("reward", "shaped reward"),
    ("ppo/kl", "KL"),
    ("kl", "KL"),
    ("rewards/accuracies", "accuracy"),
    ("rewards/margins", "margin"),
    ("entropy", "entropy"),
    ("grad_norm", "grad norm"),
    ("learning_rate", "lr"),
)
MOST_METRICS: Final = 5
TONES: Final = {"quiet": "", "active": "cyan", "good": "green", "warn": "yellow", "bad": "red"}
"""The colours of states (run/states.py)."""
FINDINGS: Final = {"error": "red", "warning": "yellow", "note": "cyan"}
"""The colours of findings, by weight."""
LINE_SECONDS: Final = 15.0


def quiet_libraries() -> None:
    """Keeps the libraries' own progress bars and import messages out of our display.

    Call before they are imported. Their warnings during a run are events (run/library_warnings.py).
    """
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="torch|transformers|trl|peft")


def metrics_line(values: Mapping[str, float | None]) -> str:
    """The most important metrics of a stage."""
    labels = dict(SHOWN_METRICS) | ({} if "raw_reward" in values else {"reward": "reward"})
    found = [(label, values[name]) for name, label in labels.items() if name in values]
    return "  ".join(f"{label} {_number(value)}" for label, value in found[:MOST_METRICS])


def _number(value: float | None) -> str:
    if value is None:
        return "not a number"
    return f"{value:.1e}" if value and abs(value) < 1e-3 else f"{value:.3f}"


def _rest() -> Column:
    """A column that takes the remaining width."""
    return Column(ratio=1, no_wrap=True, overflow="ellipsis")


class Display:
    """Displays the events of one run; use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}", style="bold", table_column=Column(no_wrap=True)),
            BarColumn(16),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}", style="cyan", table_column=_rest()),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._spoke: dict[str, float] = {}
        self._stages: tuple[str, ...] = ()

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, event: events.Event) -> None:
        """Shows one event."""
        handler = getattr(self, f"_show_{type(event).__name__}", None)
        if handler is not None:
            handler(event)

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False)

    def _show_RunStarted(self, event: events.RunStarted) -> None:
        self._stages = event.stages

    def _show_Log(self, event: events.Log) -> None:
        self._say(event.text)

    def _show_Warned(self, event: events.Warned) -> None:
        self.console.print(event.line, style=FINDINGS[event.weight], highlight=False, markup=False)

    def _show_Progress(self, event: events.Progress) -> None:
        if event.step not in self._tasks:
            self._tasks[event.step] = self.progress.add_task(event.step, total=event.total, metrics="")
        self.progress.update(self._tasks[event.step], completed=event.done, total=event.total)

    def _show_Metrics(self, event: events.Metrics) -> None:
        line = metrics_line(event.values)
        if event.step in self._tasks and line:
            self.progress.update(self._tasks[event.step], metrics=line)
        now = time.monotonic()
        if line and not self.console.is_terminal and now - self._spoke.get(event.step, 0) > LINE_SECONDS:
            self._spoke[event.step] = now
            self._say(f"  {event.step} step {event.done}: {line}")

    def _show_Tracked(self, event: events.Tracked) -> None:
        self._say(f"{event.step}: reports to {event.service} {event.place}".rstrip())

    def _show_StageStarted(self, event: events.StageStarted) -> None:
        from transformers.utils import logging

        logging.disable_progress_bar()  # of loading weights; the libraries are in memory once a stage starts
        if not self.console.is_terminal and event.step in self._stages:
            self._say(f"{event.label} ...")

    def _show_StageReused(self, event: events.StageReused) -> None:
        self._say(f"{event.step}: {RunState.REUSED.word}: {event.reason}")

    def _show_StageFinished(self, event: events.StageFinished) -> None:
        if event.folder and event.seconds:
            self._say(f"{event.step}: {RunState.DONE.word} in {duration(event.seconds)}")


def is_terminal() -> bool:
    """Whether a user can read and answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def show_foreign(items: Iterable[Foreign]) -> None:
    """Shows code in a flow that its user has not reviewed: where it is, what it does, and its full text."""
    console = Console(stderr=True)
    for item in items:
        console.print(f"{item.label} > {item.parameter}: {item.what}", style="bold", highlight=False, markup=False)
        console.print(Syntax(item.text, item.language, word_wrap=True), "")


def show_findings(problems: Iterable[Problem]) -> None:
    """One line per finding, in the colour of its weight."""
    console = Console(stderr=True, soft_wrap=True)
    for problem in problems:
        console.print(problem.line, style=FINDINGS[problem.weight], highlight=False, markup=False)


def show_run(
    program: Program,
    output_dir: Path,
    as_json: bool = False,
    work: Callable[..., Outcome] = run_program,
    **options: Any,
) -> Outcome:
    """Runs a program with the display, and ends with the folder of each model. Ctrl-C stops it after a step, and
    Ctrl-\\ ends the stage that is training and keeps its model.

    ``options`` go to ``work``, which runs or rehearses it. With ``as_json`` the display is one line of JSON per event.

    Raises the error of a run that failed, and Cancelled for one that was stopped.
    """
    quiet_libraries()
    console, token = Console(stderr=True, soft_wrap=True), CancelToken()
    with Display(console) as display, keys(token, console):
        listen = _print_json if as_json else display
        outcome = work(program, output_dir, listen, token, **options)
    if outcome.error:
        raise outcome.error
    if not as_json:
        _show_outcome(outcome)
    if outcome.status == RunState.CANCELLED:
        raise Cancelled
    return outcome


def _print_json(event: events.Event) -> None:
    print(event.to_json(), flush=True)


def _show_outcome(outcome: Outcome) -> None:
    title = f"{in_words(outcome.status)} in {duration(outcome.seconds)}"
    table = Table("node", "folder" if outcome.reports else "model", title=title, title_justify="left")
    for step, folder in {**outcome.models, **outcome.reports}.items():
        table.add_row(step, str(folder))
    Console(soft_wrap=True).print(table)


@contextmanager
def keys(token: CancelToken, console: Console) -> Iterator[None]:
    """Ctrl-C asks the run to stop after this step, with a checkpoint; a second one ends the process as usual.

    Ctrl-\\ (on POSIX) ends the stage that is training, and passes its model on as is.
    """

    def stop(*_: object) -> None:
        token.cancel()
        console.print("stopping after this step (Ctrl-C again to end at once)")
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    def keep(*_: object) -> None:
        token.keep()
        console.print("ending this stage at this step; the next one starts from its model")

    answers = {signal.SIGINT: stop} | ({signal.SIGQUIT: keep} if hasattr(signal, "SIGQUIT") else {})
    before = {number: signal.signal(number, answer) for number, answer in answers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
