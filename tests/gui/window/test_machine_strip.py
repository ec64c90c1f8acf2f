"""What the strip at the bottom says of machine and run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import flows
import pytest
import records

from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.window.machine_strip import of_machine, of_run, seconds_of
from ryven_llm_nodes.run.events import Metrics, Progress, RunStarted, StageStarted
from ryven_llm_nodes.system.load import Load


def test_the_machine() -> None:
    assert list(of_machine(Load(0.5, 4 * 10**9, 16 * 10**9))) == ["CPU 50%", "memory 4.0 GB of 16.0 GB"]
    assert list(of_machine(Load(0.5, 1, 2, (10**9, 8 * 10**9))))[2] == "GPU 1.0 GB of 8.0 GB"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> RunModel:
    """A run of two stages, the first one half done after ten seconds, with 200 tokens per second."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    model = RunModel()
    model._take(RunStarted(stages=("sft", "dpo"), output_dir="", record=""))
    model._take(StageStarted("sft"))
    for step in range(1, 11):
        clock[0] += 1
        model._take(Progress("sft", step, 20))
        model._take(Metrics("sft", step, {"num_tokens": 200.0 * step}))
    return model


def test_pace_and_time_left(model: RunModel) -> None:
    assert list(of_run(model, {})) == ["200 tokens/s", "sft: 10 s left", "then dpo"]
    assert list(of_run(model, {"dpo": 50.0}))[2] == "flow: about 1 min 0 s left"


def test_without_a_run_there_is_nothing(qtbot: Any) -> None:
    assert list(of_run(RunModel(), {})) == []


def test_the_seconds_of_earlier_runs(data: Path, tmp_path: Path) -> None:
    records.record(data, tmp_path, flows.alone("sft"))
    assert seconds_of(tmp_path / "sft", ("sft", "dpo")) == {"sft": 3.0}
    assert seconds_of(tmp_path / "none", ("sft",)) == {}


def test_it_is_shown_in_the_window(shared: Any) -> None:
    shared.window.show()
    shared.shell.strip.refresh()
    assert "CPU" in shared.shell.strip.machine.text()
