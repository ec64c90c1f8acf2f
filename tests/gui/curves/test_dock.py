"""Curves: thinning, reading, which metric goes where, and how often they are painted."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QColor, QMouseEvent
from qtpy.QtWidgets import QApplication

from ryven_llm_nodes.gui.canvas.trainer_widget import headline
from ryven_llm_nodes.gui.curves.dock import MetricsDock
from ryven_llm_nodes.gui.curves.metric_names import first_plots, metric_for, plots, unit_of
from ryven_llm_nodes.gui.curves.plot import CurvePlot
from ryven_llm_nodes.gui.curves.series import Curve, Series, Trace
from ryven_llm_nodes.gui.state.earlier_curves import KeptCurves
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.run.events import (
    Metrics,
    Progress,
    RunFinished,
    RunStarted,
    StageFinished,
    StageReused,
    StageStarted,
)
from ryven_llm_nodes.run.states import RunState

# Thinning


def test_few_points_are_all_drawn() -> None:
    points = [(step, float(step * step)) for step in range(100)]
    assert Series(points).raw.points() == points


def test_thinning_keeps_every_extreme_and_both_ends() -> None:
    noise = random.Random(0)
    points = [(step, noise.random()) for step in range(100_000)]
    points[31_337] = (31_337, 50.0)
    points[77_001] = (77_001, -50.0)
    drawn = Series(points).raw.points()
    assert len(drawn) <= 4 * Trace().limit + 1
    assert {(31_337, 50.0), (77_001, -50.0)} <= set(drawn)
    assert drawn[-1] == points[-1]
    assert drawn[0][0] <= 1000
    assert [step for step, _ in drawn] == sorted(step for step, _ in drawn)
    assert Series(points).raw.range() == (-50.0, 50.0)


@pytest.mark.parametrize("count", [1, 2, 5, 40, 41, 80, 81, 82, 163, 1000])
def test_thinning_bucket_by_bucket(count: int) -> None:
    trace = Trace(limit=20)
    values = [math.sin(step) * step for step in range(count)]
    for step, value in enumerate(values):
        trace.add(step, value)
    drawn = dict(trace.points())
    assert all(drawn[step] == values[step] for step in drawn)
    assert trace.range() == (min(values), max(values))
    assert max(drawn) == count - 1
    steps = sorted(drawn)
    widest = max((b - a for a, b in itertools.pairwise(steps)), default=1)
    assert widest <= max(2 * count / 20 * 2, 1)


def test_a_hundred_thousand_points_are_quick() -> None:
    points = [(step, math.sin(step / 99)) for step in range(100_000)]
    start = time.thread_time()
    series = Series(points)
    taken_in = time.thread_time() - start
    start = time.thread_time()
    for _ in range(10):
        series.catch_up()
        series.raw.points()
    assert taken_in < 1.0
    assert (time.thread_time() - start) / 10 < 0.005


def test_the_average_lies_between_and_begins_at_the_first_value() -> None:
    series = Series([(step, float(step % 2)) for step in range(200)], smoothing=0.9)
    smooth = dict(series.smooth.points())
    assert smooth[0] == 0.0
    assert all(0.4 < smooth[step] < 0.6 for step in range(100, 200))
    series.set_smoothing(0.0)
    assert series.smooth is None


@pytest.mark.parametrize(("step", "point"), [(0, (1, 3.0)), (5, (4, 2.0)), (8, (9, 1.0)), (99, (9, 1.0))])
def test_the_nearest_point_is_read(step: int, point: Any) -> None:
    assert Series([(1, 3.0), (4, 2.0), (9, 1.0)]).nearest(step) == point


# Names


def test_each_method_fills_the_first_plots_with_its_own_metrics() -> None:
    common = {"loss", "grad_norm", "learning_rate", "epoch", "entropy"}
    sft = common | {"mean_token_accuracy"}
    dpo = sft | {"rewards/margins", "rewards/accuracies"}
    ppo = common - {"entropy"} | {"reward", "ppo/kl", "ppo/entropy", "ppo/value_loss"}
    assert first_plots(sft) == ["loss", "entropy", "accuracy", "learning rate", "grad norm"]
    assert first_plots(dpo) == ["loss", "reward", "entropy", "accuracy", "learning rate", "grad norm"]
    assert first_plots(ppo) == ["loss", "reward", "KL", "entropy", "learning rate", "grad norm"]
    assert metric_for("accuracy", dpo) == "rewards/accuracies"
    assert metric_for("KL", ppo) == "ppo/kl"
    assert "mean_token_accuracy" in plots(dpo)
    assert plots(ppo)[-2:] == ["epoch", "ppo/value_loss"]


# One plot


def test_the_crosshair_reads_the_value_under_the_mouse(qtbot: Any) -> None:
    plot = CurvePlot("loss")
    qtbot.addWidget(plot)
    plot.resize(300, 150)
    points = [(step, 100.0 - step) for step in range(101)]
    plot.set_curves([Curve("sft", "#4ea1ff", Series(points)), Curve("sft", "", Series([(0, 5.0)]), earlier=True)])
    plot.pointed.connect(plot.set_cursor_step)
    plot.show()
    frame = plot.frame()
    move(plot, frame.x(40))
    assert [(curve.label, point) for curve, point in plot.readings()] == [("sft", (40, 60.0))]
    move(plot, -50)
    assert plot.readings()[0][1] == (0, 100.0)
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert plot.readings() == []


def move(plot: CurvePlot, x: float) -> None:
    where = QPointF(x, 60)
    nothing = Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(plot, QMouseEvent(QEvent.Type.MouseMove, where, plot.mapToGlobal(where), *nothing))


def test_a_curve_goes_where_its_values_are(qtbot: Any) -> None:
    plot = CurvePlot("loss")
    qtbot.addWidget(plot)
    plot.resize(300, 150)
    plot.set_curves([Curve("sft", "#00ff00", Series([(0, 0.0), (50, 0.0), (51, 1.0), (100, 1.0)]))])
    image = plot.grab().toImage()
    frame = plot.frame()

    def is_green(step: float, value: float) -> bool:
        near = (image.pixelColor(int(frame.x(step)), int(frame.y(value)) + dy) for dy in (-1, 0, 1))
        return any(colour.green() > 180 and colour.red() < 90 for colour in near)

    assert is_green(20, 0.0)
    assert is_green(80, 1.0)
    assert not is_green(20, 1.0)
    assert frame.y(1.0) < 60 < 100 < frame.y(0.0)
    assert frame.x(100) - frame.x(0) > 200


@pytest.mark.parametrize("points", [[], [(3, 1.0)], [(0, 2.0), (9, 2.0)], [(0, 1e-30), (1, 1e30)]])
def test_odd_curves_are_painted(qtbot: Any, points: list[Any]) -> None:
    plot = CurvePlot("loss")
    qtbot.addWidget(plot)
    plot.resize(200, 100)
    plot.set_curves([Curve("sft", "#00ff00", Series(points))])
    image = plot.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(200) for y in range(20, 100)}
    assert any(QColor(c).green() > QColor(c).red() + 60 for c in colours) == bool(points)


# The dock


@pytest.fixture
def model() -> RunModel:
    return RunModel()


@pytest.fixture
def dock(model: RunModel, qtbot: Any) -> MetricsDock:
    dock = MetricsDock(model)
    qtbot.addWidget(dock)
    dock.resize(700, 300)
    dock.show()
    qtbot.waitExposed(dock)
    return dock


@pytest.fixture
def log(model: RunModel, qtbot: Any) -> Callable[..., None]:
    """Has a stage log values, a dictionary a step."""

    def run(step: str, *values: dict[str, float], finish: bool = True) -> None:
        model.post(RunStarted("", (step,)))
        model.post(StageStarted(step))
        for done, logged in enumerate(values, 1):
            model.post(Metrics(step, done, logged))
        if finish:
            model.post(StageFinished(step))
            model.post(RunFinished())
        qtbot.wait(150)

    return run


def test_an_empty_dock_says_what_to_do(dock: MetricsDock) -> None:
    assert dock.empty.isVisible()
    assert "Run (F5)" in dock.empty.text()


def test_curves_appear_in_their_order(dock: MetricsDock, log: Any) -> None:
    log("sft", {"grad_norm": 1.0, "loss": 2.0, "epoch": 0.1}, {"grad_norm": 1.0, "loss": 1.5, "epoch": 0.2})
    assert not dock.empty.isVisible()
    assert dock.shown_plots() == ["loss", "grad norm"]
    (curve,) = dock.plots["loss"].curves
    assert curve.series.raw.points() == [(1, 2.0), (2, 1.5)]


def test_earlier_runs_stay_as_thin_lines(dock: MetricsDock, log: Any) -> None:
    log("sft", {"loss": 3.0})
    log("sft", {"loss": 2.0})
    log("sft", {"loss": 1.0})
    first, second, present = dock.plots["loss"].curves
    assert (first.earlier, second.earlier, present.earlier) == (True, True, False)
    assert [c.series.points[0][1] for c in (first, second, present)] == [3.0, 2.0, 1.0]


def test_curves_of_before_stay_when_a_run_begins(dock: MetricsDock, log: Any) -> None:
    log("sft", {"loss": 3.0})
    log("sft")
    assert [c.earlier for c in dock.plots["loss"].curves] == [True]
    assert dock.plots["loss"].isVisible()


def test_the_stage_that_runs_is_followed(dock: MetricsDock, log: Any) -> None:
    log("sft", {"loss": 3.0})
    log("dpo", {"loss": 0.7}, finish=False)
    assert dock.selected_stages() == ["dpo"]
    assert not dock.chips["sft"].isChecked()


def test_curves_stay_until_the_next_stage_has_some(dock: MetricsDock, log: Any) -> None:
    log("sft", {"loss": 3.0})
    log("final", finish=False)
    assert dock.selected_stages() == ["sft"]
    assert dock.plots["loss"].isVisible()


def test_kept_curves_are_shown(dock: MetricsDock, model: RunModel, log: Any, qtbot: Any) -> None:
    log("sft", {"loss": 3.0}, {"loss": 2.0})
    model.post(RunStarted("", ("sft",)))
    model.post(StageReused("sft", "outputs/sft", "nothing changed"))
    model.post(KeptCurves("sft", {"loss": [(1, 3.0), (2, 2.0)]}, 2, 2))
    qtbot.wait(150)
    (curve,) = dock.plots["loss"].curves
    assert not curve.earlier
    assert curve.series.points == [(1, 3.0), (2, 2.0)]
    assert headline(RunState.REUSED, model.stages["sft"]) == ("reused", "2 / 2 steps")


def test_a_resumed_stage_goes_on_where_its_curve_ends(dock: MetricsDock, model: RunModel, qtbot: Any) -> None:
    for event in (
        RunStarted("", ("sft",)),
        StageStarted("sft"),
        Progress("sft", 60, 100),
        KeptCurves("sft", {"loss": [(30, 3.0), (60, 2.0)]}, 60, 100),
    ):
        model.post(event)
    qtbot.wait(20)
    stage = model.stages["sft"]
    assert stage.seconds_left is None, "it has done no step of its own"
    model.post(Progress("sft", 70, 100))
    model.post(Metrics("sft", 70, {"loss": 1.0}))
    qtbot.wait(150)
    stage.started = time.monotonic() - 20  # for ten steps
    assert stage.seconds_left == pytest.approx(60, abs=1)
    assert dock.plots["loss"].curves[0].series.points == [(30, 3.0), (60, 2.0), (70, 1.0)]


def test_chosen_stages_stay_chosen(dock: MetricsDock, log: Any) -> None:
    log("sft", {"loss": 3.0})
    log("dpo", {"loss": 0.7})
    dock.chips["sft"].click()
    assert [c.label for c in dock.plots["loss"].curves] == ["sft", "dpo"]
    assert len({c.colour for c in dock.plots["loss"].curves}) == 2
    dock.chips["dpo"].click()
    log("dpo", {"loss": 0.6})
    assert dock.selected_stages() == ["sft"]
    dock.select_stages(None)
    assert dock.selected_stages() == ["dpo"]


def test_the_evaluation_loss_is_a_dashed_line(dock: MetricsDock, log: Any) -> None:
    log("sft", {"loss": 3.0}, {"eval_loss": 2.8})
    assert [(c.label, c.dashed) for c in dock.plots["loss"].curves] == [("loss", False), ("eval_loss", True)]


def test_any_metric_can_be_chosen(dock: MetricsDock, log: Any, qtbot: Any) -> None:
    log("grpo", {"loss": 0.1, "reward": 0.4, "completions/mean_length": 40.0})
    dock.fill_menu()
    action = next(a for a in dock.menu.actions() if a.text() == "completions/mean_length")
    assert not action.isChecked()
    action.trigger()
    assert dock.shown_plots() == ["loss", "reward", "completions/mean_length"]
    dock.show_plot("loss", False)
    assert not dock.plots["loss"].isVisible()


def test_plots_share_the_crosshair(dock: MetricsDock, log: Any) -> None:
    log("sft", *({"loss": 3.0 - i, "grad_norm": float(i)} for i in range(3)))
    dock.plots["loss"].pointed.emit(2.2)
    assert dock.plots["grad norm"].readings()[0][1] == (2, 1.0)


def test_plots_share_the_steps_until_another_stage_is_shown(dock: MetricsDock, log: Any) -> None:
    log("sft", *({"loss": 3.0 - i, "grad_norm": float(i)} for i in range(30)))
    dock.plots["loss"].zoomed.emit((5.0, 9.0))
    assert {dock.plots[name].frame().first for name in ("loss", "grad norm")} == {5.0}
    dock.show_plot("loss", False)
    log("dpo", {"loss": 0.7, "entropy": 1.0}, {"loss": 0.5, "entropy": 0.9})
    assert {dock.plots[name].view.steps for name in dock.shown_plots()} == {None}


def test_units_are_told() -> None:
    units = {name: unit_of(name) for name in ("KL", "ppo/kl", "entropy", "completions/mean_length", "step_time")}
    assert units == dict(zip(units, ("nats", "nats", "nats", "tokens", "s"), strict=True))
    assert {unit_of(name) for name in ("loss", "reward", "grad norm", "learning rate", "accuracy")} == {""}


def test_smoothing_keeps_the_measured_values(dock: MetricsDock, log: Any, qtbot: Any) -> None:
    log("sft", *({"loss": float(i % 2)} for i in range(50)))
    dock.slider.setValue(90)
    qtbot.wait(150)
    (curve,) = dock.plots["loss"].curves
    assert curve.series.smooth is not None
    assert curve.series.nearest(2) == (2, 1.0)


def test_the_grid_follows_the_width(dock: MetricsDock, log: Any, qtbot: Any) -> None:
    names = ("loss", "reward", "kl", "entropy", "learning_rate", "grad_norm")
    log("grpo", dict.fromkeys(names, 1.0))

    def columns() -> int:
        return len({plot.x() for plot in dock.plots.values()})

    wide = columns()
    dock.resize(340, 300)
    qtbot.wait(50)
    assert columns() == 2
    assert wide == 3
    assert all(plot.width() >= 120 for plot in dock.plots.values())


def test_at_most_ten_redraws_a_second(dock: MetricsDock, model: RunModel, qtbot: Any) -> None:
    model.post(RunStarted("", ("sft",)))
    model.post(StageStarted("sft"))
    qtbot.wait(150)
    before, start, done = dock.redraws, time.monotonic(), 0
    while time.monotonic() - start < 1.0:
        done += 1
        model.post(Metrics("sft", done, {"loss": 1.0}))
        QApplication.processEvents()
    qtbot.wait(200)
    assert done > 500
    assert 5 <= dock.redraws - before <= 11
    assert len(dock.plots["loss"].curves[0].series.points) == done


def test_a_hidden_dock_is_not_redrawn_but_loses_nothing(dock: MetricsDock, log: Any, qtbot: Any) -> None:
    dock.hide()
    before = dock.redraws
    log("sft", {"loss": 3.0}, {"loss": 2.0})
    assert dock.redraws == before
    dock.show()
    assert dock.plots["loss"].curves[0].series.raw.last == (2, 2.0)


def test_a_dock_made_after_the_run_shows_it(model: RunModel, log: Any, qtbot: Any) -> None:
    log("sft", {"loss": 3.0})
    dock = MetricsDock(model)
    qtbot.addWidget(dock)
    assert dock.shown_plots() == ["loss"]


def test_painting_draws_no_random_numbers(dock: MetricsDock, log: Any) -> None:
    random.seed(7)
    expected = random.Random(7).random()
    log("sft", {"loss": 3.0}, {"loss": 2.0})
    dock.grab()
    assert random.random() == expected
