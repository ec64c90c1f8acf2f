"""Runs the trials of a sweep, one after the other, in one output folder: stages that they share run once.

Several machines, each with an output folder of its own, share a sweep whose study lies in a database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
from ryven_llm_nodes.errors import Cancelled, LLMNodesError, UsageError, one_line
from ryven_llm_nodes.program import Graph, Program, build
from ryven_llm_nodes.program.sweeping.declared import number_of_trials
from ryven_llm_nodes.program.sweeping.metric import Metric, live_metric_of, metric_of
from ryven_llm_nodes.program.sweeping.space import Space, space_of
from ryven_llm_nodes.quantities import number
from ryven_llm_nodes.run import events
from ryven_llm_nodes.run.events import Listener
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.execute.outcome import Outcome
from ryven_llm_nodes.run.execute.runner import run_program
from ryven_llm_nodes.run.execute.stage import Place, here
from ryven_llm_nodes.run.store.alone import alone_in, is_taken
from ryven_llm_nodes.run.store.keys import keys_of
from ryven_llm_nodes.run.sweeping.measured import measured
from ryven_llm_nodes.run.sweeping.storage import FILE, Database
from ryven_llm_nodes.run.sweeping.study import Study, Trial, digest_of

SWEEPS: Final = "run-sweeps"
"""The folder of studies in an output folder; no stage can have this name."""


@dataclass(frozen=True)
class Plan:
    """What is to be done: ``trials`` runs over ``space`` in ``output_dir``, to optimize ``metric``."""

    space: Space
    metric: Metric
    output_dir: Path
    trials: int
    maximize: bool
    seed: int = 0
    live: Metric | None = None
    """What a trial is judged by while it trains, in the same direction; one that is hopeless is ended."""
    database: Database | None = None
    """Where the study lies if not in its folder; other machines may run trials of it."""

    @cached_property
    def folder(self) -> Path:
        """Where its study lies: one for each flow, space, metric and seed, whatever the flow says of what is varied."""
        key = keys_of(self.program(self.space.first))[self.metric.step.name]
        axes = {name: repr(axis) for name, axis in self.space.axes.items()}
        return self.output_dir / SWEEPS / digest_of(key.digest, axes, str(self.metric), self.maximize, self.seed)

    @property
    def study(self) -> str:
        """Where its study lies, in words."""
        return f"{self.database}, {self.folder.name}" if self.database else str(self.folder)

    def program(self, values: Any) -> Program:
        """The program of a trial: what the metric needs, with its values. Raises FlowError."""
        return build(self.graph(values))

    def graph(self, values: Any) -> Graph:
        """The flow of a trial."""
        return self.space.with_values(values).upstream([self.metric.step.name])


@dataclass(frozen=True)
class Result:
    """The trials of a sweep, and the best of them, if any was done."""

    trials: list[Trial]
    best: Trial | None
    importances: dict[str, float] = field(default_factory=dict)

    @property
    def elsewhere(self) -> int:
        """The number of trials that other machines are running, or have left."""
        return sum(trial.state == "unfinished" for trial in self.trials)


def plan(
    space: Space,
    metric: str,
    output_dir: Path,
    trials: int | None = None,
    maximize: bool = True,
    seed: int = 0,
    live: str = "",
    database: Database | None = None,
) -> Plan:
    """A plan that is checked: flow, metric, and that what is varied matters to it. Raises UsageError and FlowError."""
    program = build(space.with_values(space.first))
    found = metric_of(program, metric, space)
    count = number_of_trials(space, trials)
    watched = live_metric_of(program, live, found) if live else None
    return Plan(space, found, output_dir.absolute(), count, maximize, seed, watched, database)


def planned(settings: SweepSettings, graph: Graph, output_dir: Path, database: Database | None = None) -> Plan:
    """The plan of a sweep as a node of ``graph`` describes it. Raises UsageError and FlowError."""
    wanted = settings.metric, output_dir, settings.trials, settings.maximize, settings.seed, settings.prune
    return plan(space_of(graph, settings.vary), *wanted, database)


def sweep(
    plan: Plan,
    listen: Listener = lambda event: None,
    begins: Callable[[Trial], Any] = lambda trial: None,
    allow: Callable[[Graph], Any] = lambda graph: None,
    cancel: CancelToken | None = None,
    place: Place = here,
    shows: Callable[[Result], Any] | None = None,
) -> Result:
    """Runs the trials of ``plan`` that have not been run yet; one that was interrupted is continued first.

    ``begins`` is told of each trial, ``allow`` asked about its flow, by FlowError where it may not run; ``place`` is
    where stages run; ``shows`` gets all trials whenever one begins, and at the end. A trial whose run fails is noted
    with its error. Raises Cancelled where the sweep is stopped, and UsageError where the metric is not there, another
    process uses the same folder, or the database cannot be used.
    """
    cancel = cancel or CancelToken()
    with alone_in(plan.folder), plan.database.reached() if plan.database else nullcontext():
        study = Study(plan.folder, plan.space, plan.maximize, plan.seed, plan.database)
        while trial := study.unfinished() or study.next(plan.trials):
            if is_taken(plan.output_dir):  # which is no fault of the trial
                raise UsageError(f"another run is writing to {plan.output_dir}; wait for it to end, and go on then.")
            begins(trial)
            if shows:
                shows(_result(study))
            _run(plan, study, trial, partial(_program_run, plan, trial, allow, cancel, place), listen, cancel)
        result = _result(study)
        if shows:
            shows(result)
        return result


def so_far(plan: Plan) -> Result:
    """The trials that were begun, without running any; those of a file that is not there are none."""
    if plan.database is None and not (plan.folder / FILE).is_file():
        return Result([], None)
    with plan.database.reached() if plan.database else nullcontext():
        return _result(Study(plan.folder, plan.space, plan.maximize, plan.seed, plan.database))


def _result(study: Study) -> Result:
    return Result(study.trials(), study.best(), study.importances())


def _run(
    plan: Plan,
    study: Study,
    trial: Trial,
    run: Callable[[Listener], Outcome],
    listen: Listener,
    cancel: CancelToken,
) -> None:
    """Runs a trial, and notes its outcome."""
    started = time.monotonic()
    record: list[Path] = []
    watch = _Pruning(plan, study, trial, cancel)

    def heard(event: events.Event) -> None:
        if isinstance(event, events.RunStarted) and event.record:
            record.append(Path(event.record))
        listen(event)
        watch(event)

    outcome = run(heard)
    seconds = round(time.monotonic() - started, 1)
    if watch.reason:
        watch.take_back()
    if watch.reason and outcome.status == "cancelled":
        study.pruned(trial, watch.reason, seconds)
        return
    if outcome.status == "cancelled":
        raise Cancelled
    if outcome.error:
        study.failed(trial, one_line(str(outcome.error)), seconds)
        return
    try:
        value = measured(plan.metric, plan.output_dir, record[-1] if record else None)
    except UsageError as error:
        study.failed(trial, str(error), seconds)
        if not any(other.state == "done" for other in study.trials()):
            raise  # a metric that no trial has would fail them all
        return
    study.done(trial, value, seconds)


class _Pruning:
    """Ends the run of a trial whose live metric is hopeless; ``reason`` then says why."""

    def __init__(self, plan: Plan, study: Study, trial: Trial, cancel: CancelToken) -> None:
        self.plan, self.study, self.trial, self.cancel = plan, study, trial, cancel
        self.reason = ""

    def __call__(self, event: events.Event) -> None:
        live = self.plan.live
        if live is None or self.reason or not isinstance(event, events.Metrics) or event.step != live.step.name:
            return
        value = event.values.get(live.name)
        if value is not None and self.study.is_hopeless(self.trial, value, event.done):
            self.reason = f"{live} was {number(value)} at step {event.done}, worse than the median of the others"
            self.cancel.cancel(now=True)

    def take_back(self) -> None:
        """The next trial is not asked to stop."""
        self.cancel.event.clear()
        self.cancel.now_event.clear()


def _program_run(
    plan: Plan, trial: Trial, allow: Callable[[Graph], Any], cancel: CancelToken, place: Place, listen: Listener
) -> Outcome:
    """The run of a trial; what its values make wrong is an error of it too."""
    try:
        allow(plan.graph(trial.values))
        return run_program(plan.program(trial.values), plan.output_dir, listen, cancel, place=place)
    except LLMNodesError as error:
        return Outcome("failed", error=error)
