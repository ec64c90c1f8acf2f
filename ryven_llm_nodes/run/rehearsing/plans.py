"""What the real run of each stage amounts to: its steps or rows, the weights of its model, its memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ryven_llm_nodes.catalogue.findings import Pretrained
from ryven_llm_nodes.catalogue.work import Work
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.configs import config_problems, configuration
from ryven_llm_nodes.run.examine.opened import Opened, opened
from ryven_llm_nodes.run.fit.estimate import estimate
from ryven_llm_nodes.run.fit.workload import loaded_config, longest_batch, origin, workload
from ryven_llm_nodes.system.causes import describe


@dataclass(frozen=True)
class Planned:
    """A stage: the number of its ``rows``, its ``work`` (None where its time does not depend on them), and the
    ``weights`` of its model. ``peak`` is that of its memory in bytes, or why it cannot be estimated; None of what does
    not train."""

    rows: int | None = None
    work: Work | None = None
    weights: int | None = None
    peak: int | str | None = None


def plans_of(program: Program) -> dict[str, Planned]:
    """What every stage of ``program`` amounts to, once its rows are read. Loads no weights.

    Raises FlowError for what cannot be loaded. Code of the flow is executed: ask for trust before.
    """
    with opened(program) as there:
        return {step.name: _planned(there, step) for step in program.steps if step.node.is_stage}


def _planned(there: Opened, step: Step) -> Planned:
    rows, trains = there.loaded.rows(step).get("dataset"), there.trains(step)
    if trains and (wrong := list(config_problems(there.program, there.loaded, step))):
        raise FlowError(wrong)
    settings = configuration(there.program, there.loaded, step) if trains else None
    work = None if rows is None else step.node.work(there.program.context(step), len(rows), settings)
    peak = _peak(there, step) if trains and rows is not None else None
    return Planned(None if rows is None else len(rows), work, _weights(there.program, step), peak)


def plans_in_rehearsal(program: Program, real: Mapping[str, Planned]) -> dict[str, Planned]:
    """The same of the rehearsal ``program``, but for the steps of trainers, which report them."""
    found = {}
    for name, plan in real.items():
        step = program.graph.by_name[name]
        measures = plan.rows is not None and not program.cells[name].config
        work = step.node.work(program.context(step), plan.rows or 0, None) if measures else None
        found[name] = Planned(plan.rows, work, _weights(program, step))
    return found


def _weights(program: Program, step: Step) -> int | None:
    """The number of weights of the model that comes in. Raises FlowError where its configuration cannot be read."""
    from ryven_llm_nodes.run.fit.simulate import weight_count

    if "model" not in step.wires:
        return None
    try:
        return weight_count(loaded_config(origin(program, step, "model"), program.graph.root))
    except Exception as error:  # the stage would fail with the same error
        raise FlowError([step.problem(f"its model cannot be examined: {describe(error)}", "model")]) from error


def _peak(there: Opened, step: Step) -> int | str | None:
    def config_of(model: Pretrained) -> object:
        return loaded_config(model, there.program.graph.root)

    try:
        work = workload(there.program, there.loaded, step, longest_batch(there, step), config_of)
        return None if work is None else estimate(work).peak
    except FlowError:
        raise
    except Exception as error:  # of a model that cannot be made without weights; it may train all the same
        return f"cannot be estimated: {describe(error)}"


def models_of(real: Program, small: Program) -> Iterator[tuple[Step, str, str]]:
    """Each node that loads a model, with its real model and that of the rehearsal."""
    for step in real.steps:
        before, after = _loaded(real, step.name), _loaded(small, step.name)
        if before is not None and after is not None:
            yield step, before.location, after.location


def _loaded(program: Program, name: str) -> Pretrained | None:
    step = program.graph.by_name[name]
    return step.node.pretrained(program.context(step))
