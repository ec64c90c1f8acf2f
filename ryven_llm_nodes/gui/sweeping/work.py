"""A sweep as the work of the worker thread that runs flows: each trial is shown as a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ryven_llm_nodes.errors import Cancelled, LLMNodesError
from ryven_llm_nodes.program import Graph, Program
from ryven_llm_nodes.program.sweeping.declared import declared
from ryven_llm_nodes.run import CancelToken, Outcome
from ryven_llm_nodes.run.events import Listener, Log

if TYPE_CHECKING:
    from ryven_llm_nodes.run.sweeping.study import Trial
    from ryven_llm_nodes.run.sweeping.sweep import Plan, Result

Shows = Callable[["Plan", "Result"], Any]
"""Told in the worker of a plan and its trials so far."""
NOT_ALLOWED: Final = "run the flow once with this value, which asks whether the code may run."


def plan_of(name: str, graph: Graph, output: Path) -> Plan:
    """The plan that the node called ``name`` describes. Raises LLMNodesError."""
    from ryven_llm_nodes.run.sweeping.sweep import planned

    return planned(declared(graph, name).settings, graph, output)


def trials_of(name: str, graph: Graph, output: Path) -> tuple[Plan, Result]:
    """That plan, and the trials so far. Raises LLMNodesError."""
    from ryven_llm_nodes.run.sweeping.sweep import so_far

    plan = plan_of(name, graph, output)
    return plan, so_far(plan)


class SweepWork:
    """Runs the sweep that the node called ``name`` describes; ``isolated``, each stage in a process of its own."""

    def __init__(self, name: str, isolated: bool, shows: Shows) -> None:
        self.name, self.isolated, self.shows = name, isolated, shows

    def __call__(self, program: Program, output: Path, listen: Listener, cancel: CancelToken) -> Outcome:
        started = time.monotonic()
        outcome = Outcome()
        try:
            self._sweep(program.graph, output, listen, cancel)
        except Cancelled:
            outcome.status = "cancelled"
        except LLMNodesError as error:
            outcome.status, outcome.error = "failed", error
        outcome.seconds = time.monotonic() - started
        return outcome

    def _sweep(self, graph: Graph, output: Path, listen: Listener, cancel: CancelToken) -> None:
        from ryven_llm_nodes.run import here, in_processes
        from ryven_llm_nodes.run.sweeping.along import written
        from ryven_llm_nodes.run.sweeping.sweep import sweep

        plan = plan_of(self.name, graph, output)

        def begins(trial: Trial) -> None:
            values = ", ".join(f"{name} = {written(value)}" for name, value in trial.values.items())
            listen(Log("", f"trial {trial.number + 1} of {plan.trials}: {values}"))

        def allow(varied: Graph) -> None:
            _refuse_foreign(varied, output)

        place = in_processes if self.isolated else here
        sweep(plan, listen, begins, allow, cancel, place, lambda result: self.shows(plan, result))


def _refuse_foreign(graph: Graph, output: Path) -> None:
    """Refuses a trial whose values let code run that its user has not allowed. Raises FlowError."""
    from ryven_llm_nodes.run.trust.seen import refusal, unseen

    if items := unseen(graph, output):
        raise refusal(items, NOT_ALLOWED)
