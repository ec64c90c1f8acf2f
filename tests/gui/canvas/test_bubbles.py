"""Where bubbles are put, and that no text on the canvas is too small to be read."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPointF, QRectF, QSizeF

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.canvas.bubbles import best
from ryven_llm_nodes.gui.style.fonts import readable
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.host.navigation import zoom_about

VIEW = QRectF(0, 0, 800, 600)
SIZE = QSizeF(230, 60)


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests."""
    return shared


def placed(node: QRectF, pins: list[QRectF] | None = None, taken: list[QRectF] | None = None) -> QRectF:
    return best(node, SIZE, VIEW, pins or [], taken or [], [])


def test_below_the_node_where_there_is_room() -> None:
    assert placed(QRectF(100, 100, 120, 80)).topLeft() == QPointF(100, 186)


@pytest.mark.parametrize(
    "node", [QRectF(740, 300, 120, 80), QRectF(300, 560, 120, 80), QRectF(-60, 20, 120, 80), QRectF(700, 540, 100, 60)]
)
def test_inside_the_view_at_its_edges(node: QRectF) -> None:
    assert VIEW.contains(placed(node))


def test_off_pins_and_other_bubbles() -> None:
    node, pin = QRectF(100, 100, 120, 80), QRectF(150, 200, 16, 16)
    box = placed(node, [pin])
    assert not box.intersects(pin)
    other = placed(node, [pin], [box])
    assert not other.intersects(box)
    assert not other.intersects(pin)


def test_that_of_a_node_out_of_view_stays_there() -> None:
    assert placed(QRectF(1000, 100, 120, 80)).left() == 1000


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
