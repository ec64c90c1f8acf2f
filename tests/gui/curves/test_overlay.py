"""Earlier runs drawn over the curves of a flow: each with its own looks, and a legend to take them off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest
import records
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QToolButton

from ryven_llm_nodes.gui.curves.dock import MetricsDock
from ryven_llm_nodes.gui.curves.overlay_legend import OverlayLegend
from ryven_llm_nodes.gui.curves.runs import OVER, STYLES, Entry
from ryven_llm_nodes.gui.state.overlay import MOST, read_over
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.records.labels import Label, write_label


@pytest.fixture
def runs(data: Path, tmp_path: Path) -> list[PastRun]:
    return [records.record(data, tmp_path, flows.alone("sft"), sft=1.0 + place) for place in range(2)]


@pytest.fixture
def model() -> RunModel:
    model = RunModel()
    model.stages["sft"] = StageRun("sft", metrics={"loss": [(1, 3.0), (20, 2.0)]})
    return model


@pytest.fixture
def dock(model: RunModel, qtbot: Any) -> MetricsDock:
    dock = MetricsDock(model)
    qtbot.addWidget(dock)
    dock.resize(600, 300)
    dock.show()
    return dock


def test_runs_are_drawn_over_the_curves_and_taken_off_again(
    dock: MetricsDock, model: RunModel, runs: list[PastRun], qtbot: Any
) -> None:
    write_label(runs[0].folder, Label("the slow one"))
    model.lay_over(read_over(runs))
    first, second, own = dock.plots["loss"].curves
    assert [(one.colour, one.stroke) for one in (first, second)] == [(one.colour, one.stroke) for one in OVER[:2]]
    assert (first.label, own.stroke) == ("the slow one", None)
    assert first.series.points == runs[0].metrics("sft")["loss"]
    assert own.series.points == model.stages["sft"].metrics["loss"], "those of this run lie on top"
    legend = dock.findChild(OverlayLegend)
    entries = [entry for entry in legend.findChildren(Entry) if entry.isVisible()]
    assert [entry.label.text() for entry in entries] == ["the slow one", runs[1].name]
    qtbot.mouseClick(entries[0].findChild(QToolButton), Qt.MouseButton.LeftButton)
    left, _ = dock.plots["loss"].curves
    assert (left.colour, left.stroke) == (OVER[1].colour, OVER[1].stroke), "the other keeps its looks"
    model.lay_over(read_over(runs[:1]))
    qtbot.waitUntil(lambda: any(one.isVisible() for one in legend.findChildren(QPushButton)))
    button = next(one for one in legend.findChildren(QPushButton) if one.isVisible())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert len(dock.plots["loss"].curves) == 1
    assert not legend.isVisible()


def test_the_same_run_is_drawn_once_and_at_most_eight(dock: MetricsDock, model: RunModel, runs: list[PastRun]) -> None:
    said: list[str] = []
    model.logged.connect(said.append)
    model.lay_over(read_over([runs[0], runs[0]]))
    assert len(model.overlay) == 1
    many = [PastRun(runs[0].folder.with_name(f"copy-{place}"), runs[0].summary) for place in range(MOST)]
    model.lay_over(read_over(many))
    assert len(model.overlay) == MOST
    assert said == ["1 of the runs are not drawn: at most 8 can be told apart; remove some first."]


def test_runs_of_other_stages_come_into_view(dock: MetricsDock, runs: list[PastRun], qtbot: Any) -> None:
    empty = RunModel()
    other = MetricsDock(empty)
    qtbot.addWidget(other)
    other.show()
    empty.lay_over(read_over(runs))
    assert other.selected_stages() == ["sft"]
    assert len(other.plots["loss"].curves) == 2
    other.slider.setValue(50)
    other.redraw()
    assert all(curve.series.smooth is not None for curve in other.plots["loss"].curves)


def test_runs_can_be_told_apart_without_colours() -> None:
    for styles in (STYLES, OVER):
        assert len({style.stroke for style in styles}) == len(styles) == MOST
        assert len({style.colour for style in styles}) == MOST
    assert all(style.stroke for style in OVER), "solid are the curves of the flow itself"
