"""The real run's time from the times of a rehearsal, with a clock that is set by hand."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import SFT, Evaluate, LoadDataset
from ryven_llm_nodes.catalogue.work import Work
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.events import Event, Progress, StageFinished, StageReused, StageStarted
from ryven_llm_nodes.run.rehearsing.forecast import Clock, forecast
from ryven_llm_nodes.run.rehearsing.plans import Planned

TIMED: tuple[tuple[float, Event], ...] = (
    (0, StageStarted("sft")),
    (10, Progress("sft", 0, 3)),
    (15, Progress("sft", 1, 3)),  # the first step takes longer
    (17, Progress("sft", 2, 3)),
    (19, Progress("sft", 3, 3)),
    (24, StageFinished("sft")),
    (24, StageStarted("measured")),
    (28, StageFinished("measured")),
)
SMALL = {"sft": Planned(100, None, 1000), "measured": Planned(100, Work(rows=8), 1000)}


@pytest.fixture
def program(data: Path) -> Program:
    nodes = {"base": flows.BASE, "rows": flows.ROWS["sft"], "sft": node(SFT), "measured": node(Evaluate)}
    nodes["held_out"] = node(LoadDataset, path="sft.jsonl")
    wires = "base -> sft, rows -> sft, sft -> measured, held_out -> measured"
    return flows.program(flows.draw(wires, **nodes), data)


def timed() -> Clock:
    heard: list[Event] = []
    times = iter(when for when, _ in TIMED)
    clock = Clock(heard.append, lambda: next(times))
    for _, event in TIMED:
        clock(event)
    assert heard == [event for _, event in TIMED]
    return clock


def test_steps_evaluations_and_rows_are_multiplied_and_scaled_by_the_weights(program: Program) -> None:
    real = {"sft": Planned(100, Work(steps=50, evaluations=4), 3000, 7), "measured": Planned(100, Work(rows=80), 3000)}
    sft, measured = forecast(program, real, SMALL, timed())
    assert (sft.step_seconds, sft.factor, sft.steps, sft.peak) == (2, 3, 50, 7)
    assert sft.seconds == 10 + 3 * (50 * 2 + 4 * 5)
    assert measured.seconds == 4 * 3 * 80 / 8
    assert "50" in sft.line(10)
    assert "6 min 10 s" in sft.line(10)


def test_a_stage_that_is_the_same_in_few_steps_takes_as_long(program: Program) -> None:
    times = iter([0.0, 1.0, 2.0, 4.0, 5.0])
    clock = Clock(lambda event: None, lambda: next(times))
    for event in (StageStarted("sft"), Progress("sft", 0, 2), Progress("sft", 1, 2), Progress("sft", 2, 2)):
        clock(event)
    clock(StageFinished("sft", "out/sft"))
    clock(StageReused("measured", "out/sft"))
    assert clock.times["measured"] is clock.times["sft"]
    assert clock.times["sft"].step == 2


def test_without_a_number_of_steps_there_is_no_time(program: Program) -> None:
    packed = {"sft": Planned(100, Work(), 1000), "measured": Planned()}
    sft, measured = forecast(program, packed, SMALL, timed())
    assert sft.seconds is None
    assert "unknown" in sft.line(10)
    assert measured.seconds == 4
