"""The window Sweep, with made-up trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import Qt

from ryven_llm_nodes.gui.style.colours import ACCENT, GOOD
from ryven_llm_nodes.gui.sweeping.window import EMPTY, SweepWindow
from ryven_llm_nodes.program.sweeping.space import space_of
from ryven_llm_nodes.run.sweeping.study import Trial
from ryven_llm_nodes.run.sweeping.sweep import Plan, Result, plan

VARIED = ("dpo.beta=0.1,0.3", "dpo.learning_rate=1e-6..1e-4:log")
TRIALS = [
    Trial(0, {"dpo.beta": 0.1, "dpo.learning_rate": 1e-5}, "done", 0.5, seconds=61.0),
    Trial(1, {"dpo.beta": 0.3, "dpo.learning_rate": 1e-4}, "done", 0.75, seconds=60.0),
    Trial(2, {"dpo.beta": 0.3, "dpo.learning_rate": 2e-5}, "failed", error="out of memory\nmore", seconds=2.0),
]


@pytest.fixture
def planned(data: Path, tmp_path: Path) -> Plan:
    return plan(space_of(flows.graph(flows.alone("dpo"), data), VARIED), "dpo.rewards/margins", tmp_path, trials=5)


@pytest.fixture
def window(qtbot: Any) -> SweepWindow:
    made = SweepWindow()
    qtbot.addWidget(made)
    made.show()
    return made


def row(window: SweepWindow, place: int) -> list[str]:
    return [window.table.item(place, column).text() for column in range(window.table.columnCount())]


def test_a_flow_without_a_sweep_is_told_how_to_get_one(window: SweepWindow) -> None:
    assert window.pages.sentence.text() == EMPTY
    assert not any(one.isEnabled() for one in (window.run_button, window.apply, window.page))


def test_trials_stand_in_a_table_with_the_best_marked(window: SweepWindow, planned: Plan) -> None:
    window.show_sweep(planned, Result(TRIALS, TRIALS[1], {"dpo.beta": 0.75, "dpo.learning_rate": 0.25}), running=False)
    assert row(window, 0) == ["1", "done", "0.5000", "0.1", "1e-05", "1 min 1 s"]
    assert row(window, 1)[1] == "★ best"
    assert row(window, 2)[1] == "failed: out of memory"
    assert window.table.item(2, 1).toolTip() == TRIALS[2].error
    assert window.about.text() == "Maximize dpo.rewards/margins: 5 trials of dpo.beta, dpo.learning_rate."
    assert "dpo.beta 75%" in window.importance.text()
    assert window.note.text() == "Best: trial 2, 0.7500. 2 trials are left."
    assert window.run_button.text() == "Continue"


def test_the_chart_shows_each_trial_that_is_done_and_the_best_stands_out(window: SweepWindow, planned: Plan) -> None:
    window.show_sweep(planned, Result(TRIALS, TRIALS[1]), running=False)
    texts = list(window.chart.texts)
    assert [name for name in (*VARIED, "dpo.rewards/margins") if name.partition("=")[0] not in texts] == []
    assert {"0.1", "0.3", "1e-06", "0.0001", "0.5000", "0.7500"} <= set(texts)
    picture = window.chart.grab().toImage()
    seen = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(0, picture.height(), 3)}
    assert GOOD.lower() in seen
    assert ACCENT.lower() not in seen, "the others are fainter"


def test_what_can_be_done_follows_from_what_runs(window: SweepWindow, planned: Plan, qtbot: Any) -> None:
    wanted: list[str] = []
    for name in ("run", "stop", "apply", "page"):
        getattr(window, f"{name}_wanted").connect(lambda name=name: wanted.append(name))
    for running in (False, True):
        window.show_sweep(planned, Result(TRIALS, TRIALS[1]), running)
        for button in (window.run_button, window.apply, window.page):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert wanted == ["run", "apply", "page", "stop", "page"]
    window.show_sweep(planned, Result([], None), running=False, busy=True)
    assert not window.run_button.isEnabled(), "another run is active"
