"""Where bubbles are put, and that no text on the canvas is too small to be read."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QLineF, QPointF, QRectF, QSizeF

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.canvas.marks import Bubble
from ryven_llm_nodes.gui.canvas.room import GAP, Around, placed
from ryven_llm_nodes.gui.style.fonts import readable
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.host.navigation import zoom_about

VIEW = QRectF(0, 0, 800, 600)
SIZE = QSizeF(230, 60)


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests."""
    return shared


NODE = QRectF(100, 100, 120, 80)
LINE = QSizeF(180, 24)


def around(*nodes: QRectF, pins: Any = (), bubbles: Any = (), over: Any = ()) -> Around:
    return Around(VIEW, nodes, pins, over, bubbles)


def box_at(node: QRectF, **others: Any) -> QRectF:
    return placed(node, [SIZE], around(node, **others))[1]


def test_below_the_node_where_there_is_room() -> None:
    assert box_at(NODE).topLeft() == QPointF(100, 186)


@pytest.mark.parametrize(
    "node", [QRectF(740, 300, 120, 80), QRectF(300, 560, 120, 80), QRectF(-60, 20, 120, 80), QRectF(700, 540, 100, 60)]
)
def test_inside_the_view_at_its_edges(node: QRectF) -> None:
    assert VIEW.contains(box_at(node))


def test_off_pins_and_other_bubbles() -> None:
    pin = QRectF(150, 200, 16, 16)
    box = box_at(NODE, pins=[pin])
    assert not box.intersects(pin)
    other = box_at(NODE, pins=[pin], bubbles=[box])
    assert not other.intersects(box)
    assert not other.intersects(pin)


def test_off_the_map() -> None:
    node, over = QRectF(560, 400, 120, 80), QRectF(590, 486, 196, 100)
    assert not box_at(node, over=[over]).intersects(over)


def test_that_of_a_node_out_of_view_stays_there() -> None:
    assert box_at(QRectF(1000, 100, 120, 80)).left() == 1000


def test_shorter_where_it_is_crowded() -> None:
    """Between nodes that leave room for a line, and no more."""
    node = QRectF(300, 200, 240, 100)
    walls = [QRectF(0, 340, 800, 250), QRectF(0, 0, 800, 190), QRectF(0, 190, 290, 150), QRectF(550, 190, 250, 150)]
    assert placed(node, [SIZE, LINE], around(node, *walls)) == (1, QRectF(QPointF(300, 306), LINE))


def test_further_away_where_nothing_else_is_free() -> None:
    node, wall = QRectF(300, 40, 240, 100), QRectF(0, 0, 800, 400)
    number, box = placed(node, [SIZE, LINE], around(node, wall))
    assert number == 1, "it says less"
    assert around(node, wall).is_free(box)
    assert 400 <= box.top() <= 420


def test_smallest_where_nothing_is_free() -> None:
    number, box = placed(NODE, [SIZE, LINE], around(NODE, VIEW))
    assert (number, box.size()) == (1, LINE)
    assert VIEW.contains(box)


def test_many_nodes_cost_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Around, "nearest", lambda *_: pytest.fail("searched"))
    placed(NODE, [SIZE, LINE], around(*[VIEW] * 61))


FINDINGS = (
    Problem("must be greater than 0, got -1. Typical: 1e-6 to 1e-4.", "SFT", "learning_rate"),
    Problem("has no value (null) in row 6, and in 11 more rows; drop them with a Filter node.", "SFT", "completion"),
)


def shown(editor: Any, node: Any) -> QRectF:
    bubble = node.gui.mark.bubble
    return QRectF(QPointF(editor.view.mapFromScene(bubble.pos())), bubble.size)


def find(editor: Any, *nodes: Any) -> None:
    for node in nodes:
        editor.state.findings[node] = FINDINGS
    editor.state.changed.emit()
    editor.settle(150)


def test_a_crowded_canvas_shows_the_first_finding_and_how_many_more(editor: Any) -> None:
    """On the smallest screen, nodes close to each other: the bubbles cover none of them, nor each other."""
    editor.window.show()
    editor.window.resize(1280, 720)
    nodes = [place_node(editor.view, SFT, QPointF(1200 + 300 * (i % 3), 1200 + 330 * (i // 3))) for i in range(6)]
    editor.settle(100)
    editor.shell.flows.show_all()
    find(editor, *nodes[:4])
    boxes = [QRectF(editor.view.mapFromScene(item.sceneBoundingRect()).boundingRect())
             for item in editor.view.node_items.values()]  # fmt: skip
    places = [shown(editor, node) for node in nodes[:4]]
    assert not [(place, box) for place in places for box in boxes if place.intersects(box)]
    assert not any(one.intersects(other) for one in places for other in places if one is not other)
    said = nodes[1].gui.mark.bubble
    assert said.text.endswith("+1 more")
    assert FINDINGS[1].message not in said.text
    assert FINDINGS[1].message in said.toolTip()


def test_alone_it_says_it_in_full(editor: Any) -> None:
    editor.window.show()
    editor.window.resize(1500, 860)
    node = place_node(editor.view, LoadModel, QPointF(1200, 1200))
    editor.view.centerOn(node.gui.item)
    find(editor, node)
    assert all(one.message in node.gui.mark.bubble.text for one in FINDINGS)


def test_a_line_leads_to_a_node_that_is_far_off() -> None:
    bubble = Bubble()
    bubble.show_sentences(("learning_rate: must be greater than 0.",), "error")
    small = bubble.boundingRect()
    bubble.say(0, QLineF(0, 0, 0, GAP))
    assert bubble.boundingRect() == small
    bubble.say(0, QLineF(20, 0, 20, -90))
    assert bubble.boundingRect().top() == -91
    assert not bubble.shape().boundingRect().contains(QPointF(20, -50)), "the line takes no clicks"


@pytest.mark.parametrize("scale", [1.0, 0.6, 0.3])
def test_on_the_canvas_at_every_zoom(editor: Any, scale: float) -> None:
    editor.window.show()
    nodes = [place_node(editor.view, SFT, QPointF(1100 + 320 * i, 1200)) for i in range(3)]
    nodes.append(place_node(editor.view, LoadModel, QPointF(1100, 1420)))
    editor.shell.flows.show_all()
    zoom_about(editor.view, QPointF(editor.view.viewport().rect().center()), scale / editor.view.transform().m11())
    editor.state.show_problems([Problem("is wrong; correct it.", f"SFT {i}", "beta") for i in range(3)])
    for node in nodes[:3]:
        editor.state.findings[node] = (Problem("is wrong; correct it.", "SFT", "beta"),)
    editor.state.changed.emit()
    editor.settle(150)
    view = QRectF(editor.view.viewport().rect())
    pins = [QPointF(editor.view.mapFromScene(port.pin.get_scene_center_pos()))
            for item in editor.view.node_items.values() for port in (*item.inputs, *item.outputs)]  # fmt: skip
    for node in nodes[:3]:
        bubble = node.gui.mark.bubble
        box = QRectF(QPointF(editor.view.mapFromScene(bubble.pos())), bubble.size)
        if view.intersects(QRectF(editor.view.mapFromScene(node.gui.item.sceneBoundingRect()).boundingRect())):
            assert view.contains(box)
        assert not any(box.contains(pin) for pin in pins)


@pytest.mark.parametrize("scale", [0.1, 0.25, 0.42, 0.6, 0.8, 1, 1.5, 2.5])
@pytest.mark.parametrize("pixels", [11, 12, 15])
def test_text_is_readable_or_not_there(pixels: int, scale: float) -> None:
    size = readable(pixels, scale)
    assert size == 0 or size * scale >= 11 - 1e-9
    assert size == 0 or size <= 1.75 * pixels
    assert readable(pixels, 1) == pixels
