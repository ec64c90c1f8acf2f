"""Rehearses a flow: every stage for a few steps on small models and the real data, into a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program import Program, build
from ryven_llm_nodes.program.rehearsal import rehearsal_folder, rehearsal_of
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.events import Listener, Log, RunFinished
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.execute.outcome import Outcome
from ryven_llm_nodes.run.execute.runner import run_program
from ryven_llm_nodes.run.rehearsing.forecast import HEADINGS, Clock, Forecast, forecast, plain
from ryven_llm_nodes.run.rehearsing.plans import Planned, models_of, plans_in_rehearsal, plans_of
from ryven_llm_nodes.system.files import write_whole

STEPS: Final = 3
"""Optimizer steps of a stage, where one rollout is used for no more than two."""
FILE: Final = "rehearsal.json"


def rehearse(
    program: Program,
    output_dir: Path,
    listen: Listener = lambda event: None,
    cancel: CancelToken | None = None,
    fresh: bool = True,
    steps: int = STEPS,
    run: Callable[..., Outcome] = run_program,
    **options: Any,
) -> Outcome:
    """Runs the rehearsal of ``program``, which would write to ``output_dir``, and reports what the real run will take.

    It writes next to that folder, never into it, and reuses nothing, or nothing could be measured. Never raises for
    errors of a user's flow, data or code, as ``run`` does not.
    """
    try:
        real = plans_of(program)
        small = build(rehearsal_of(program.graph, _steps(real, steps), steps))
        planned = plans_in_rehearsal(small, real)
    except LLMNodesError as error:
        listen(RunFinished("", "failed", {}, 0.0))
        return Outcome("failed", error=error)
    folder, clock = rehearsal_folder(output_dir), Clock(listen)
    for line in _models(program, small):
        listen(Log("", line))
    outcome = run(small, folder, clock, cancel, True, **options)
    if outcome.status == "done":
        found = forecast(program, real, planned, clock)
        write_whole(folder / FILE, json.dumps(_data(program, small, found), indent=2) + "\n")
        for line in _report(found, folder):
            listen(Log("", line))
    return outcome


def _steps(real: Mapping[str, Planned], steps: int) -> dict[str, int]:
    """The optimizer steps of each trainer: those after the first hold each part of a rollout equally often."""
    found = {}
    for name, plan in real.items():
        if plan.work is not None:
            wanted = max(steps, 1 + plan.work.rollout)
            found[name] = min(wanted, plan.work.steps or wanted)
    return found


def _models(program: Program, small: Program) -> Iterator[str]:
    for step, real, used in models_of(program, small):
        if real == used:
            yield f"{step.label}: no rehearsal_model is set, so it is rehearsed with the model itself, {real}"
        else:
            yield f"{step.label}: rehearsed with {used} in place of {real}"


def _report(found: list[Forecast], folder: Path) -> Iterator[str]:
    """The table of all stages, the sum, and what it rests on."""
    width = max((len(one.step) for one in found), default=0) + 2
    yield f"{'':{width}}{HEADINGS}"
    yield from (one.line(width) for one in found)
    known = sum(one.seconds for one in found if one.seconds is not None)
    unknown = [one.step for one in found if one.seconds is None]
    more = f", and {', '.join(unknown)}, whose steps are known only once its rows are packed" if unknown else ""
    yield f"the real run: about {duration(known)} on this machine{more}"
    yield (
        "Estimated: the time of a step times the number of steps, and times the factor, by which the real model has "
        "more weights. Rollouts may become longer or shorter. Memory is that of `ryven-llm fit`."
    )
    yield f"rehearsal: {folder}"


def _data(program: Program, small: Program, found: list[Forecast]) -> dict[str, Any]:
    models = [{"node": step.name, "real": real, "rehearsed": used} for step, real, used in models_of(program, small)]
    return {"models": models, "stages": plain(found)}
