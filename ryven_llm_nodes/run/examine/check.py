"""A check that also reads rows, tokenizers and configurations, but no weights of the models that are trained."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from ryven_llm_nodes.errors import Problem, by_weight
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.program.environment import prepared_environment
from ryven_llm_nodes.run.events import Event, Warned
from ryven_llm_nodes.run.examine.preflight import preflight
from ryven_llm_nodes.run.examine.stand_in import no_progress_bars
from ryven_llm_nodes.run.execute.failures import stage_error
from ryven_llm_nodes.run.library_warnings import about, hearing
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.system.causes import forget, is_unreachable

NOT_RUN = (
    "is not tried in a check, since you have not allowed it; a run shows it and asks, and on the command line --trust "
    "allows it."
)


def checked(
    program: Program,
    output_dir: Path,
    untrusted: Collection[tuple[str, str]] = (),
    cancelled: threading.Event | None = None,
    all_rows: bool = False,
) -> list[Problem]:
    """Everything that is found in ``program`` before it runs: errors, warnings and notes, the most severe first.

    ``untrusted`` are the steps, with the parameter, whose code must not run: what needs it is not examined, and noted.
    Trains nothing and writes nothing. Raises Cancelled when asked to stop.
    """
    found: list[Problem] = []

    def hear(event: Event) -> None:
        if isinstance(event, Warned):
            found.append(replace(event.problem, node=_label(program, event.step)))

    without = {step for step, _ in untrusted}
    loading = LoadedProgram(program, output_dir.absolute(), without)
    with prepared_environment(), loading as loaded, hearing(hear), no_progress_bars():
        found += _values(program, loaded)
        found += preflight(program, loaded, cancelled or threading.Event(), all_rows, weights=False)
    steps = program.graph.by_name
    for step, parameter in untrusted:
        if step in steps and steps[step].node.all_parameters()[parameter].widget == "code":
            found.append(replace(steps[step].problem(NOT_RUN, parameter), weight="note"))
    return by_weight(found)


def _values(program: Program, loaded: LoadedProgram) -> Iterator[Problem]:
    """Makes the values that stages need, such as datasets; what cannot be made is reported."""
    missing = set(loaded.without)
    for step in loaded.value_steps:
        if step.name in missing or any(wire.step in missing for wire in step.wires.values()):
            missing.add(step.name)
            continue
        try:
            with about(step):
                loaded.run(step.name)
        except Exception as error:  # a run would fail with the same error
            missing.add(step.name)
            problem = stage_error(error, step, program, loaded).problem
            yield replace(problem, weight="note") if is_unreachable(error) else problem
            forget(error)


def _label(program: Program, name: str) -> str:
    step = program.graph.by_name.get(name)
    return step.label if step else ""
