"""A canvas of many nodes: what is painted, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt
from qtpy.QtGui import QImage, QPainter, QWheelEvent

from ryven_llm_nodes.catalogue import DPO, SFT, LoadModel
from ryven_llm_nodes.gui.canvas.bubbles import bubbles_of
from ryven_llm_nodes.gui.state.edits import rename
from ryven_llm_nodes.host import drawing, pictures
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.host.drawing import grid_points
from ryven_llm_nodes.host.navigation import set_scale


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests, with three nodes, two of them wired."""
    shared.window.show()
    model = place_node(shared.view, LoadModel, QPointF(1200, 1100))
    sft = place_node(shared.view, SFT, QPointF(1600, 1100))
    place_node(shared.view, DPO, QPointF(2000, 1100))
    shared.wire(model, sft, "model")
    shared.shell.flows.show_all()
    shared.settle(150)
    shared.view.clear_selection()
    shared.settle(150)
    return shared


@pytest.fixture
def painted(editor: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The nodes that were painted since."""
    nodes: list[Any] = []
    theme = editor.window.session_gui.design.flow_theme
    original = theme.paint_NI
    monkeypatch.setattr(theme, "paint_NI", lambda **given: nodes.append(given["node_gui"].node) or original(**given))
    return nodes


def picture(node: Any) -> Any:
    return node.gui.item.graphicsEffect()


def turn(editor: Any, notches: int) -> None:
    at = QPointF(editor.view.viewport().rect().center())
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(at, at, QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, none, phase, False)
    editor.view.wheelEvent(event)


class TestAPicture:
    @pytest.mark.parametrize("scale", [1.0, 0.63])
    def test_scrolling_paints_no_node(self, scale: float, editor: Any, painted: list[Any]) -> None:
        editor.view.resetTransform()
        editor.view.scale(scale, scale)
        editor.settle(150)
        painted.clear()
        for _ in range(5):
            bar = editor.view.horizontalScrollBar()
            bar.setValue(bar.value() + 7)
            editor.view.viewport().repaint()
        assert painted == []

    def test_a_node_that_changes_is_painted_and_no_other(self, editor: Any, painted: list[Any]) -> None:
        node = editor.flow.nodes[0]
        editor.select(node)
        editor.settle(100)
        assert set(painted) == {node}

    def test_what_it_shows_is_the_node_as_it_is(self, editor: Any) -> None:
        node = editor.flow.nodes[0]
        before = editor.view.viewport().grab().toImage()
        rename(node, "another_name")
        editor.settle(150)
        assert editor.view.viewport().grab().toImage() != before

    def test_a_frame_renews_what_it_has_time_for_and_the_next_ones_the_rest(
        self, editor: Any, painted: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pictures, "BUDGET_S", 1e-9)
        painted.clear()
        turn(editor, -1)
        editor.view.viewport().repaint()
        assert len(painted) == 1
        editor.settle(200)
        assert set(painted) == set(editor.flow.nodes)
        scales = {round(picture(node)._scale, 6) for node in editor.flow.nodes}
        assert scales == {round(editor.view.transform().m11(), 6)}

    def test_a_thumbnail_is_painted_in_its_own_size(self, editor: Any, painted: list[Any]) -> None:
        painted.clear()
        before = [picture(node)._scale for node in editor.flow.nodes]
        image = QImage(300, 200, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        editor.view.scene().render(painter, QRectF(image.rect()), editor.view.scene().itemsBoundingRect())
        painter.end()
        assert set(painted) == set(editor.flow.nodes)
        assert [picture(node)._scale for node in editor.flow.nodes] == before

    def test_pictures_that_take_too_much_memory_are_forgotten(
        self, editor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def kept() -> int:
            return sum(picture(node)._picture is not None for node in editor.flow.nodes)

        with monkeypatch.context() as patch:
            patch.setattr(pictures, "MOST_PIXELS", 1)
            editor.select(*editor.flow.nodes)
            editor.settle(200)
            assert kept() == 1
        editor.view.viewport().repaint()
        assert kept() == 3

    def test_its_shadow_is_made_once_a_size(self) -> None:
        from qtpy.QtGui import QColor

        made = pictures._shadow(200, 100, QColor(0, 0, 0, 120).rgba())
        assert made is pictures._shadow(200, 100, QColor(0, 0, 0, 120).rgba())
        image = made.toImage()
        middle, edge = image.pixelColor(image.width() // 2, image.height() // 2), image.pixelColor(0, 0)
        assert (edge.alpha(), middle.alpha()) == (0, pytest.approx(120, abs=6))


class TestWhatNobodySees:
    def test_a_wire_has_no_items_of_its_own(self, editor: Any) -> None:
        (wire,) = editor.view.connection_items.values()
        assert wire.childItems() == []

    def test_a_node_has_one_button_to_collapse_it_however_often_it_is_laid_out(self, editor: Any) -> None:
        item = editor.flow.nodes[1].gui.item
        for _ in range(3):
            item.node_gui.update_shape()
        kind = type(item.widget.collapse_button)
        buttons = [child for child in item.scene().items() if isinstance(child, kind) and child.node_item is item]
        assert buttons == [item.widget.collapse_button]

    def test_bubbles_are_placed_only_where_there_are_some(self, editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        editor.state.clear_problems()
        monkeypatch.setattr(type(bubbles_of(editor.view)), "_on_screen", lambda self, rect: pytest.fail("placed"))
        bubbles_of(editor.view).place_all()


def test_dots_of_the_grid_keep_their_place() -> None:
    one = {(p.x(), p.y()) for p in grid_points(QRectF(-30, 5, 100, 60), 26, 26)}
    other = {(p.x(), p.y()) for p in grid_points(QRectF(-17, 9, 100, 60), 26, 26)}
    assert one == {(x, y) for x in (-26, 0, 26, 52) for y in (26, 52)}
    assert {p for p in one if p[0] > -17} <= other


class TestAMove:
    def test_of_the_canvas_draws_the_part_of_the_grid_that_came_into_view(
        self, editor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor.view.resetTransform()
        set_scale(editor.view)
        editor.settle(150)
        drawn: list[QRectF] = []
        monkeypatch.setattr(
            drawing, "grid_points", lambda rect, *steps: drawn.append(QRectF(rect)) or grid_points(rect, *steps)
        )
        bar = editor.view.horizontalScrollBar()
        bar.setValue(bar.value() + 7)
        editor.view.viewport().repaint()
        assert drawn
        assert max(rect.width() for rect in drawn) < 40

    def test_of_a_node_paints_no_more_than_what_is_around_it(self, editor: Any) -> None:
        areas: list[int] = []

        class Watch(QObject):
            def eventFilter(self, watched: QObject, event: QEvent) -> bool:
                if event.type() == QEvent.Type.Paint:
                    areas.append(sum(one.width() * one.height() for one in event.region()))
                return False

        view, watch = editor.view, Watch()
        editor.settle(200)
        view.viewport().installEventFilter(watch)
        item = editor.flow.nodes[2].gui.item
        item.setPos(item.pos() + QPointF(5, 5))
        editor.settle(5)
        assert areas
        assert areas[0] < 0.5 * view.viewport().width() * view.viewport().height()
