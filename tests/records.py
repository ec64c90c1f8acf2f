"""Records and kept stages as runs leave them, written by the same code, in no time."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import flows

from ryven_llm_nodes.catalogue.files import CHECKPOINTS
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.events import Metrics, Progress, StageFailed, StageFinished, StageStarted
from ryven_llm_nodes.run.records.history import PastRun, past_run
from ryven_llm_nodes.run.records.record import SUMMARY, Record
from ryven_llm_nodes.run.store.decisions import finish, mark
from ryven_llm_nodes.run.store.kept import FINISHED, write_record
from ryven_llm_nodes.run.store.keys import keys_of
from ryven_llm_nodes.run.store.links import entry_of, lead
from ryven_llm_nodes.run.store.output import Output


class Unlucky(LLMNodesError):
    """What a run failed with."""


def record(
    data: Path, outputs: Path, drawn: flows.Project, steps: int = 20, fails: str = "", **slope: float
) -> PastRun:
    """The record of a run of ``drawn``, whose stages have curves with a ``slope`` each; one may fail half way."""
    program = flows.program(drawn, data)
    try:
        with Record(program, outputs / program.graph.title, lambda event: None) as written:
            for step in program.steps:
                if step.node.is_stage:
                    train(written, step.name, slope.get(step.name, 1.0), step.name == fails)
    except Unlucky:
        pass
    about = json.loads((written.folder / SUMMARY).read_text())
    about["began"] = f"2026-01-02T03:{next(_minutes):02}:00"  # one after the other, however fast they are written
    (written.folder / SUMMARY).write_text(json.dumps(about))
    run = past_run(written.folder)
    assert run is not None
    return run


_minutes = count()


def train(written: Record, stage: str, slope: float, fails: bool, steps: int = 20) -> None:
    """The events of a stage."""
    written.take(StageStarted(stage))
    for done in range(1, steps + 1):
        written.take(Progress(stage, done, steps))
        values = {"loss": math.exp(-slope * done / steps), "grad_norm": 1 + slope, "learning_rate": 1e-3}
        written.take(Metrics(stage, done, values))
        if fails and done > steps / 2:
            written.take(StageFailed(stage, "no luck", "Traceback"))
            raise Unlucky(f"SFT {stage!r}: no luck.")
    written.take(StageFinished(stage, str(written.output_dir / stage), 3.0))


def keep(output_dir: Path, stage: str, size: int = 1000, finished: bool = True, **more: Any) -> Path:
    """The folder of a stage that was kept, with ``size`` bytes of weights; its digest is its name."""
    folder = entry_of(output_dir, stage)
    folder.mkdir(parents=True)
    about: Mapping[str, Any] = {"digest": stage, "since": "2026-01-02 03:04", "parts": {}, "names": [stage], **more}
    write_record(folder, about)
    (folder / "config.json").write_text("")
    (folder / "model.safetensors").write_bytes(os.urandom(size))
    if finished:
        (folder / FINISHED).write_text("")
        finish(folder)
    lead(output_dir, stage, stage)
    return folder


def stopped_stage(output_dir: Path, program: Program, name: str, step: int, total: int) -> Path:
    """The folder of a stage whose process was killed after its checkpoint of ``step`` of ``total``."""
    output_dir.mkdir(parents=True, exist_ok=True)
    output = Output(output_dir, lambda text: None)
    key = keys_of(program, output.ending)[name]
    output.begin(name, key, output.decide(name, key, False), "record")
    checkpoint = output_dir / name / CHECKPOINTS / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": total}))
    mark(checkpoint, key.digest)
    return output_dir / name
