"""A node that is gone to is seen: nothing lies over it."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, QRectF
from qtpy.QtWidgets import QLabel

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.canvas.in_view import GAP, bring, overlays, way_out
from ryven_llm_nodes.gui.canvas.minimap import Minimap
from ryven_llm_nodes.host.canvas import place_node

VIEW = QRectF(0, 0, 800, 600)
MAP = QRectF(590, 458, 196, 128)


@pytest.mark.parametrize(
    ("box", "over", "by"),
    [
        (QRectF(100, 100, 200, 100), [MAP], QPointF()),
        (QRectF(560, 400, 200, 100), [MAP], QPointF(0, 458 - GAP - 500)),
        (QRectF(450, 480, 160, 100), [MAP], QPointF(590 - GAP - 610, 0)),
        (QRectF(10, 10, 200, 100), [QRectF(0, 0, 60, 500)], QPointF(60 + GAP - 10, 0)),
        (QRectF(10, 10, 200, 100), [VIEW], QPointF()),
        (QRectF(-50, -50, 900, 700), [MAP], QPointF()),
    ],
    ids=["nothing", "above", "left of it", "right of it", "no way", "larger than the view"],
)
def test_the_shortest_way_out(box: QRectF, over: list[QRectF], by: QPointF) -> None:
    assert way_out(box, VIEW, over) == by


def on_screen(editor: Any, node: Any) -> QRectF:
    return QRectF(editor.view.mapFromScene(node.gui.item.sceneBoundingRect()).boundingRect())


@pytest.fixture
def spread(shared: Any) -> Any:
    """A flow that is larger than its canvas."""
    shared.window.show()
    place_node(shared.view, LoadModel, QPointF(1000, 1000))
    target = place_node(shared.view, SFT, QPointF(3000, 2600))
    place_node(shared.view, LoadModel, QPointF(5000, 4200))
    shared.settle(100)
    shared.view.centerOn(QPointF(1000, 1000))
    shared.settle(100)
    return shared, target


def test_the_next_problem_is_not_under_the_map(spread: Any) -> None:
    editor, target = spread
    editor.state.findings[target] = (Problem("must be greater than 0.", "SFT", "learning_rate"),)
    editor.state.changed.emit()
    editor.shell.actions["next_problem"].trigger()
    editor.settle(150)
    made = editor.view.findChild(Minimap)
    assert made.isVisible()
    box = on_screen(editor, target)
    assert QRectF(editor.view.viewport().rect()).contains(box)
    assert not any(box.intersects(one) for one in overlays(editor.view))
    assert overlays(editor.view) == [QRectF(QPointF(made.pos() - editor.view.viewport().pos()), made.size())]


def test_nor_under_any_other_widget_on_the_canvas(spread: Any) -> None:
    editor, target = spread
    editor.view.centerOn(target.gui.item)
    label = QLabel("over", editor.view)
    label.setGeometry(on_screen(editor, target).toRect().adjusted(-20, -20, 20, 20).translated(QPoint(0, 30)))
    label.show()
    bring(editor.view, target.gui.item)
    assert not any(on_screen(editor, target).intersects(one) for one in overlays(editor.view))
    label.deleteLater()


def test_what_is_seen_already_stays_where_it_is(spread: Any) -> None:
    editor, target = spread
    editor.view.centerOn(target.gui.item)
    bar = editor.view.horizontalScrollBar()
    bar.setValue(bar.value() + round(on_screen(editor, target).left()) - 10)  # close to the border
    editor.settle(100)
    before = on_screen(editor, target)
    bring(editor.view, target.gui.item)
    assert on_screen(editor, target) == before
