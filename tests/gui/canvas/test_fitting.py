"""A flow that was fitted stays fitted when the window is maximised, and one that was zoomed stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, QRectF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from ryven_llm_nodes.gui.canvas.tidy import SMALLEST
from ryven_llm_nodes.templates import TEMPLATES


@pytest.fixture
def full(open_editor: Callable[..., Any]) -> Any:
    editor = open_editor(TEMPLATES["full"]())
    editor.settle(300)
    return editor


def scale(editor: Any) -> float:
    return float(editor.view.transform().m11())


def visible(editor: Any) -> bool:
    """Whether all nodes are in view."""
    seen = editor.view.mapToScene(editor.view.viewport().rect()).boundingRect()
    rect = QRectF()
    for item in editor.view.node_items.values():
        rect = rect.united(item.sceneBoundingRect())
    return bool(seen.contains(rect))


def test_maximising_fits_again(full: Any) -> None:
    before = scale(full)
    assert visible(full)
    full.window.resize(2400, 1300)
    full.settle(150)
    assert scale(full) > before * 1.3
    assert visible(full)
    full.window.resize(1500, 860)
    full.settle(150)
    assert scale(full) == pytest.approx(before, rel=0.02)


def test_nodes_lie_in_the_middle_of_the_canvas(full: Any) -> None:
    rect = QRectF()
    for item in full.view.node_items.values():
        rect = rect.united(item.sceneBoundingRect())
    middle = full.view.mapFromScene(rect.center()) - full.view.viewport().rect().center()
    assert abs(middle.x()) < 40
    assert abs(middle.y()) < 40


def test_what_does_not_fit_is_shown_from_its_beginning(full: Any) -> None:
    full.window.resize(1000, 700)
    full.settle(150)
    assert scale(full) == pytest.approx(SMALLEST)
    left = min(item.sceneBoundingRect().left() for item in full.view.node_items.values())
    assert 0 < full.view.mapFromScene(QPointF(left, 0)).x() < 60


def test_what_was_zoomed_by_hand_stays(full: Any) -> None:
    viewport = full.view.viewport()
    place = QPointF(viewport.rect().center())
    wheel = QWheelEvent(
        place, viewport.mapToGlobal(place), QPoint(0, 120), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewport, wheel)
    full.settle(250)
    zoomed = scale(full)
    full.window.resize(2400, 1300)
    full.settle(150)
    assert scale(full) == zoomed
    full.shell.actions["show_all"].trigger()
    assert visible(full)
