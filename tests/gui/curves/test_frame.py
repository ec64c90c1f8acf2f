"""Axes: which part of the curves is shown, where it lies, and what stands beside it."""

from __future__ import annotations

import itertools
import math

import pytest
from qtpy.QtCore import QPointF, QRectF

from ryven_llm_nodes.gui.curves.frame import Frame, Ticks, View, ticks

BOX = QRectF(50, 20, 200, 100)
WHOLE = (0.0, 100.0)
LINEAR = Frame(BOX, 0, 100, 0, 10)
LOG = Frame(BOX, 0, 100, -3, 1, log=True)


@pytest.mark.parametrize("frame", [LINEAR, LOG], ids=["linear", "log"])
def test_points_lie_where_they_are_alone_and_together(frame: Frame) -> None:
    points = [(0, 0.001), (25, 1.0), (100, 10.0)]
    assert [(p.x(), round(p.y(), 9)) for p in frame.places(points)] == [
        (frame.at(p).x(), round(frame.at(p).y(), 9)) for p in points
    ]
    assert frame.at((100, 10.0)) == QPointF(250, 20)
    assert frame.step(frame.x(25)) == 25
    assert frame.scaled(frame.y(1.0)) == pytest.approx(0.0 if frame.log else 1.0)


def test_decades_are_equally_high_and_what_has_no_logarithm_is_left_out() -> None:
    heights = [LOG.y(10.0**power) for power in (-3, -2, -1, 0, 1)]
    assert {round(a - b, 9) for a, b in itertools.pairwise(heights)} == {25.0}
    assert len(LOG.places([(0, 1.0), (1, 0.0), (2, -1.0), (3, 2.0)])) == 2
    assert LOG.y(0.0) == LOG.y(-5.0) == BOX.bottom()


def test_the_step_under_the_pointer_stays_where_it_is() -> None:
    place = QPointF(LINEAR.x(75), 60)
    view = LINEAR.zoomed(View(), place, 0.5, WHOLE)
    assert view == View(steps=(37.5, 87.5))
    assert Frame(BOX, *view.steps, 0, 10).x(75) == place.x()
    assert Frame(BOX, *view.steps, 0, 10).zoomed(view, place, 100, WHOLE) == View()


def test_zoom_ends_where_there_are_steps_and_where_there_are_too_few() -> None:
    assert LINEAR.zoomed(View(), QPointF(BOX.left(), 60), 0.5, WHOLE).steps == (0, 50)
    near = Frame(BOX, 10, 13, 0, 10)
    assert near.zoomed(View(steps=(10, 13)), QPointF(150, 60), 0.5, WHOLE) == View(steps=(10, 13))


def test_beside_the_plot_the_values_are_zoomed() -> None:
    view = LINEAR.zoomed(View(), QPointF(10, LINEAR.y(5)), 0.5, WHOLE)
    assert view == View(values=(2.5, 7.5))


def test_dragging_moves_what_is_zoomed_and_stops_at_the_ends() -> None:
    shown = Frame(BOX, 20, 40, 2, 4)
    right = QPointF(BOX.width(), 0)
    assert shown.dragged(View(steps=(20, 40)), right, WHOLE) == View(steps=(0, 20))
    assert shown.dragged(View(steps=(20, 40)), -right * 9, WHOLE) == View(steps=(80, 100))
    up = QPointF(0, -BOX.height() / 2)
    assert shown.dragged(View(steps=(20, 40), values=(2, 4)), up, WHOLE) == View(steps=(20, 40), values=(1, 3))
    assert LINEAR.dragged(View(), right, WHOLE) == View(), "all of it is shown"


@pytest.mark.parametrize(
    ("low", "high", "most", "log", "labels"),
    [
        (0, 10, 5, False, ["0", "2", "4", "6", "8", "10"]),
        (0.03, 0.97, 4, False, ["0.5"]),
        (0.03, 0.97, 5, False, ["0.2", "0.4", "0.6", "0.8"]),
        (-3, 3, 4, False, ["-2", "0", "2"]),
        (1234.1, 1234.9, 5, False, ["1234.2", "1234.4", "1234.6", "1234.8"]),
        (1.1e-6, 4.9e-6, 4, False, ["2e-6", "3e-6", "4e-6"]),
        (0, 3e6, 3, False, ["0", "1e6", "2e6", "3e6"]),
        (-3.2, 1.1, 9, True, ["0.001", "0.01", "0.1", "1", "10"]),
        (0, 1, 5, True, ["2", "4", "6", "8", "10"]),
        (5, 5, 3, False, []),
    ],
)
def test_numbers_at_an_axis_are_round(low: float, high: float, most: int, log: bool, labels: list[str]) -> None:
    found = ticks(low, high, most, log)
    assert [found.label(value) for value in found.values] == labels


@pytest.mark.parametrize("log", [False, True])
def test_any_range_has_a_few_numbers_that_lie_in_it(log: bool) -> None:
    for exponent in range(-30, 31, 3):
        for width in (1e-3, 1, 1e3):
            low, high = (exponent, exponent + width / 100) if log else (10.0**exponent, 10.0**exponent * (1 + width))
            found = ticks(low, high, 5, log)
            assert len(found.values) <= 7
            for value in found.values:
                assert low - abs(low) * 1e-9 <= (math.log10(value) if log else value) <= high + abs(high) * 1e-9
                assert found.label(value)
                assert len(found.label(value)) <= 8 or width < 1


def test_labels_tell_neighbours_apart() -> None:
    near = Ticks((0.1234, 0.1236), 0.0002)
    assert [near.label(value) for value in near.values] == ["0.1234", "0.1236"]
