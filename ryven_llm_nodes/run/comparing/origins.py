"""What led to an evaluated model: the stages before it with their curves and times, the settings, the data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.program import Graph, Step
from ryven_llm_nodes.run.records.history import PastRun, Points, past_run
from ryven_llm_nodes.run.records.record import RECORDS
from ryven_llm_nodes.run.store.kept import Kept, kept_in


@dataclass(frozen=True)
class Trained:
    """A stage on the way to a model. Stages of equal ``digest`` are the same one; ``seconds`` are 0 where unknown."""

    name: str
    method: str
    digest: str
    seconds: float
    curves: Mapping[str, Points]


@dataclass(frozen=True)
class Origin:
    """How an evaluation came about: the run that made it, all of its flow, and the part that led to its model."""

    run: PastRun
    flow: Graph
    graph: Graph
    seconds: float
    """How long the evaluation itself took."""

    @cached_property
    def stages(self) -> list[Trained]:
        """The stages that led to the model, in their order."""
        steps = (step for step in self.graph.order if step.node.is_stage)
        return [_trained(self.run, step) for step in steps if step.name in self.run.stages]

    @property
    def data(self) -> Mapping[str, Mapping[str, Any]]:
        """What was read, by source: files with sha256, rows, columns."""
        return {name: about for name, about in self.run.data.items() if isinstance(about, dict)}


def origin_of(folder: Path) -> Origin | None:
    """How the evaluation in ``folder`` came about; None without the record of its run, as after a script."""
    folder = Path(os.path.realpath(folder))
    kept = kept_in(folder)
    run = past_run(kept.output_dir / RECORDS / kept.records[-1]) if kept and kept.records else None
    if kept is None or run is None:
        return None
    try:
        flow = run.graph()
    except FlowError:  # a node of another version
        return None
    step = _step_of(kept, run, flow)
    if step is None:
        return None
    *_, model = list(flow.lineage(step))[:2]
    return Origin(run, flow, flow.upstream([model.name]), _seconds(run, step.name))


def _step_of(kept: Kept, run: PastRun, flow: Graph) -> Step | None:
    """The step whose result ``kept`` is."""
    names = (name for name, about in run.stages.items() if about.get("digest") == kept.digest)
    return next((flow.by_name[name] for name in names if name in flow.by_name), None)


def _trained(run: PastRun, step: Step) -> Trained:
    digest = str(run.stages[step.name].get("digest", step.name))
    return Trained(step.name, step.node.title, digest, _seconds(run, step.name), run.metrics(step.name))


def _seconds(run: PastRun, name: str) -> float:
    """How long a stage took in all runs that worked on it."""
    seconds = run.stages[name].get("seconds")
    if isinstance(seconds, int | float):
        return float(seconds)
    folder = run.folder_of(name)
    kept = kept_in(Path(os.path.realpath(folder))) if folder else None
    earlier = [past_run(kept.output_dir / RECORDS / record) for record in kept.records] if kept else []
    found = [past.stages.get(name, {}).get("seconds") for past in earlier if past]
    return float(sum(value for value in found if isinstance(value, int | float)))


def read_report(folder: Path) -> dict[str, Any]:
    """The report in ``folder``. Raises OSError or ValueError where there is none."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if not isinstance(report, dict):
        raise ValueError(f"{folder / 'report.json'} holds no object")
    return report


def settings_of(origin: Origin) -> Iterator[tuple[str, str, Any]]:
    """Node, parameter and value of everything that was set on the way to a model."""
    for step in origin.graph.order:
        for parameter, value in step.meaning.items():
            yield step.name, parameter, value
