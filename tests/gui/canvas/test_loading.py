"""What is done for each node while a project opens, and what only once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QPointF
from qtpy.QtWidgets import QApplication
from ryvencore import Flow
from ryvencore_qt.src.flows.connections.ConnectionItem import ConnectionItem
from ryvencore_qt.src.flows.nodes import NodeItemAnimator
from ryvencore_qt.src.flows.nodes.NodeItemWidget import NodeItemWidget

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state.edits import rename
from ryven_llm_nodes.gui.widgets import first_paint as first_paints
from ryven_llm_nodes.gui.widgets.first_paint import first_paint
from ryven_llm_nodes.templates import full

NODES = len(next(iter(full()["flows"].values()))["nodes"])


@pytest.fixture
def layouts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The nodes that were laid out since."""
    made: list[Any] = []
    original = NodeItemWidget.setup_layout
    monkeypatch.setattr(NodeItemWidget, "setup_layout", lambda self: made.append(self.node_gui.node) or original(self))
    return made


def test_each_node_of_a_project_is_laid_out_once(open_editor: Callable[..., Any], layouts: list[Any]) -> None:
    editor = open_editor(full())
    editor.settle(300)
    assert layouts == editor.flow.nodes


def test_the_style_of_the_application_is_set_once(
    open_editor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, sheets = QApplication.instance(), []
    app.setStyleSheet("")
    original = QApplication.setStyleSheet

    def set_sheet(self: Any, sheet: str) -> None:
        sheets.append(sheet)
        original(self, sheet)

    monkeypatch.setattr(QApplication, "setStyleSheet", set_sheet)
    open_editor()
    open_editor()
    assert sheets == [app.styleSheet()]


def test_nothing_is_collected_until_the_window_is_painted(
    open_editor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    original = Flow.load_components
    monkeypatch.setattr(
        Flow, "load_components", lambda *given, **named: seen.append(gc.isenabled()) or original(*given, **named)
    )
    editor = open_editor(full())
    editor.qtbot.waitUntil(lambda: first_paint(editor.window).is_done)
    assert (seen, gc.isenabled()) == ([False], True)


def test_a_flow_is_looked_at_after_the_window_was_painted(
    open_editor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[bool] = []
    original = RunController.look

    def look(self: RunController, flow: Any) -> None:
        painted.append(first_paint(self._document.window).is_done)
        original(self, flow)

    monkeypatch.setattr(RunController, "look", look)
    monkeypatch.setattr(first_paints, "MOMENT_MS", 400)
    editor = open_editor(full())
    assert editor.shell.docks.log.widget().currentWidget() is None
    editor.qtbot.waitUntil(lambda: bool(painted))
    assert all(painted)
    editor.qtbot.waitUntil(lambda: editor.shell.docks.log.widget().currentWidget() is not None)


class TestLoading:
    def test_selects_the_last_node_alone(self, shared: Any) -> None:
        selections: list[list[Any]] = []
        shared.view.nodes_selection_changed.connect(selections.append)
        data = next(iter(full()["flows"].values()))
        nodes, _ = shared.flow.load_components(data["nodes"], data["connections"], [])
        assert len(nodes) == NODES
        assert [chosen for chosen in selections if chosen] == [[nodes[-1]]]
        assert shared.view._current_selected == [nodes[-1].gui.item]

    def test_a_node_that_is_placed_is_selected(self, shared: Any) -> None:
        nodes = [shared.place(SFT), shared.place(SFT)]
        assert shared.view.selected_nodes() == [nodes[-1]]


class TestALayout:
    def test_is_kept_until_something_of_the_node_changes(self, shared: Any, layouts: list[Any]) -> None:
        node = shared.place(SFT)
        shared.settle(50)
        layouts.clear()
        node.gui.item.update_shape()
        assert layouts == []
        rename(node, "a_name_that_is_much_longer_than_all_of_its_ports_are")
        shared.settle(50)
        assert layouts == [node]

    def test_is_made_again_where_the_node_itself_asks(self, shared: Any, layouts: list[Any]) -> None:
        node = shared.place(SFT)
        layouts.clear()
        node.gui.update_shape()
        assert layouts == [node]

    def test_of_a_node_that_is_collapsed_and_expanded_is_as_before(self, shared: Any) -> None:
        item = shared.place(SFT).gui.item
        shared.settle(50)
        before = item.boundingRect(), item.outputs[0].pin.get_scene_center_pos()
        item.collapse()
        assert item.boundingRect().height() < before[0].height() / 2
        item.expand()
        assert (item.boundingRect(), item.outputs[0].pin.get_scene_center_pos()) == before


def test_nodes_share_the_picture_of_a_warning_and_the_measure_of_a_font(shared: Any) -> None:
    one, other = (shared.place(SFT).gui.item for _ in range(2))
    assert one.error_indicator.pix is other.error_indicator.pix
    assert one.inputs[0].label.font is other.outputs[0].label.font


def test_an_animation_is_made_when_it_is_first_run(shared: Any) -> None:
    item = shared.place(SFT).gui.item
    assert item.animator._made is None
    shared.window.session_gui.design.set_animations_enabled(True)
    try:
        item.node_updating()
        assert isinstance(item.animator._made, NodeItemAnimator.NodeItemAnimator)
        assert item.animator.running()
    finally:
        item.animator.stop()
        shared.window.session_gui.design.set_animations_enabled(False)


class TestAWire:
    @pytest.fixture
    def wire(self, shared: Any) -> Any:
        model, sft = shared.place(LoadModel), shared.place(SFT)
        sft.gui.item.setPos(model.gui.item.pos() + QPointF(400, 0))
        shared.wire(model, sft, "model")
        shared.settle(50)
        (wire,) = shared.view.connection_items.values()
        return wire

    def test_ends_at_its_pins_also_while_a_node_is_moved(self, wire: Any) -> None:
        for item in (wire.inp_item.node_item, wire.out_item.node_item):
            item.setPos(item.pos() + QPointF(37, 21))
            path = wire.path()
            ends = wire.mapToScene(path.pointAtPercent(0)), wire.mapToScene(path.pointAtPercent(1))
            pins = wire.out_item.pin.get_scene_center_pos(), wire.inp_item.pin.get_scene_center_pos()
            assert all((end - pin).manhattanLength() < 10 for end, pin in zip(ends, pins, strict=True))

    def test_is_laid_again_only_where_an_end_has_moved(self, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        laid: list[Any] = []
        original = ConnectionItem.setPath
        monkeypatch.setattr(ConnectionItem, "setPath", lambda self, path: laid.append(self) or original(self, path))
        node = wire.out_item.node_item
        node.update_conn_pos()
        assert laid == []
        node.setPos(node.pos() + QPointF(1, 0))
        assert laid == [wire]
