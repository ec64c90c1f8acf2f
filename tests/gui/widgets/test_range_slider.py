"""The slider with two handles."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt

from ryven_llm_nodes.gui.widgets.range_slider import RangeSlider


@pytest.fixture
def slider(qtbot: Any) -> RangeSlider:
    slider = RangeSlider()
    qtbot.addWidget(slider)
    slider.resize(300, 24)
    slider.show()
    return slider


def test_the_range_follows_new_steps_until_it_is_narrowed(slider: RangeSlider) -> None:
    slider.set_limits(1, 10)
    slider.set_limits(1, 20)
    assert (slider.value(), slider.is_whole) == ((1, 20), True)
    slider.setValue((5, 12))
    slider.set_limits(1, 30)
    assert (slider.value(), slider.is_whole) == ((5, 12), False)


def test_only_the_end_that_stands_at_a_limit_follows(slider: RangeSlider) -> None:
    slider.set_limits(1, 10)
    slider.setValue((4, 10))
    slider.set_limits(1, 99)
    assert slider.value() == (4, 99)


def test_what_lies_outside_new_limits_is_cut(slider: RangeSlider) -> None:
    slider.set_limits(0, 100)
    slider.setValue((20, 80))
    slider.set_limits(0, 50)
    assert slider.value() == (20, 50)


def test_a_handle_is_dragged_and_a_double_click_chooses_all(slider: RangeSlider, qtbot: Any) -> None:
    slider.set_limits(0, 100)
    left = Qt.MouseButton.LeftButton
    told: list[tuple[int, int]] = []
    slider.valueChanged.connect(told.append)
    qtbot.mousePress(slider, left, pos=QPoint(6, 12))
    qtbot.mouseMove(slider, QPoint(96, 12))
    qtbot.mouseRelease(slider, left, pos=QPoint(96, 12))
    low, high = slider.value()
    assert 25 <= low <= 35
    assert high == 100
    assert told[-1] == (low, 100)
    qtbot.mouseDClick(slider, left, pos=QPoint(150, 12))
    assert slider.is_whole
