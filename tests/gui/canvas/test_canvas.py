"""Wires, edits, undo, copy and paste on the canvas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QGuiApplication

from ryven_llm_nodes.catalogue import DPO, GRPO, PPO, SFT, LoadDataset, LoadModel, RewardFunction, SaveModel
from ryven_llm_nodes.gui.state.edits import changed_signal, rename, reset_value, set_value
from ryven_llm_nodes.gui.style.families import KIND_COLOURS
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.program.project import project

# Wires


def test_equal_kinds_are_wired(editor: Any) -> None:
    model, rows, sft = editor.place(LoadModel), editor.place(LoadDataset), editor.place(SFT)
    editor.wire(model, sft, "model")
    editor.wire(rows, sft, "eval_dataset")
    assert editor.flow.connected_output(sft.inputs[0]) is model.outputs[0]
    assert editor.flow.connected_output(sft.inputs[3]) is rows.outputs[0]
    for (out, _), item in editor.view.connection_items.items():
        kind = out.node.out_ports[0].kind
        assert item.get_pen().color() == QColor(KIND_COLOURS[kind])
        assert item.pen().brush().color() == QColor(KIND_COLOURS[kind])


@pytest.mark.parametrize(
    ("source", "target", "port", "sentence"),
    [
        (
            LoadDataset,
            SFT,
            "model",
            "Load Dataset gives a dataset, but SFT > model takes a model; connect a model to it.",
        ),
        (
            LoadModel,
            GRPO,
            "reward",
            "Load Model gives a model, but GRPO > reward takes a reward; connect a reward to it.",
        ),
        (RewardFunction, DPO, "reference", "Reward Function gives a reward, but DPO > reference takes a model"),
    ],
)
def test_other_kinds_are_refused_with_a_sentence(
    editor: Any, source: type, target: type, port: str, sentence: str
) -> None:
    lines = editor.log()
    editor.wire(editor.place(source), editor.place(target), port)
    assert editor.view.connection_items == {}
    assert sentence in lines[-1]
    assert not editor.view._undo_stack.undoText().startswith("Connect")


def test_a_circle_is_refused(editor: Any) -> None:
    lines = editor.log()
    first, second = editor.place(SFT), editor.place(SFT)
    editor.wire(first, second, "model")
    editor.wire(second, first, "model")
    editor.wire(first, first, "model")
    assert len(editor.view.connection_items) == 1
    assert "back to itself" in lines[-2]
    assert "cannot feed itself" in lines[-1]


def test_two_outputs_are_refused_with_a_sentence(editor: Any) -> None:
    lines = editor.log()
    editor.view.connect_node_ports__cmd(editor.place(LoadModel).outputs[0], editor.place(LoadModel).outputs[0])
    assert lines[-1].endswith("Both ends are outputs; connect an output to an input.")


def test_undo_works_after_a_refusal(editor: Any) -> None:
    rows, sft = editor.place(LoadDataset), editor.place(SFT)
    editor.wire(rows, sft, "model")
    editor.wire(rows, sft, "dataset")
    editor.view._undo_stack.undo()
    assert editor.view.connection_items == {}
    editor.view._undo_stack.redo()
    assert len(editor.view.connection_items) == 1


def test_a_wire_dropped_on_a_node_finds_the_port_of_its_kind(editor: Any) -> None:
    rows, ppo = editor.place(LoadDataset), editor.place(PPO)
    editor.view.auto_connect(rows.outputs[0], ppo)
    assert editor.flow.connected_output(ppo.inputs[1]) is rows.outputs[0]
    editor.view.auto_connect(editor.place(LoadDataset).outputs[0], ppo)
    assert ppo.in_ports[4].name == "eval_dataset"
    assert editor.flow.connected_output(ppo.inputs[4]) is not None


def test_a_wire_is_drawn_with_the_mouse(editor: Any) -> None:
    model = place_node(editor.view, LoadModel, QPointF(200, 150))
    sft = place_node(editor.view, SFT, QPointF(520, 200))
    editor.settle(100)
    pins = [model.gui.item.outputs[0].pin, sft.gui.item.inputs[0].pin]
    start, end = (editor.view.mapFromScene(pin.get_scene_center_pos()) for pin in pins)
    viewport = editor.view.viewport()
    editor.qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
    editor.qtbot.mouseMove(viewport, end)
    editor.qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=end)
    assert len(editor.view.connection_items) == 1


def test_wires_of_other_packages_are_left_alone(editor: Any) -> None:
    val, other = (c for c in editor.window.core_session.nodes if c.title in ("get var", "set var"))
    one = place_node(editor.view, val)
    two = place_node(editor.view, other)
    lines = editor.log()
    for out in (*one.outputs, *two.outputs):
        for inp in (*one.inputs, *two.inputs):
            editor.view.connect_node_ports__cmd(out, inp)
    assert not any("takes a" in line for line in lines)


# Edits


def test_an_edit_can_be_undone_and_redone(editor: Any) -> None:
    node = editor.place(SFT)
    seen: list[Any] = []
    changed_signal.connect(seen.append)
    set_value(node, "learning_rate", 1e-4)
    set_value(node, "learning_rate", -1)
    assert node.params == {"learning_rate": -1}
    reset_value(node, "learning_rate")
    assert node.params == {}
    stack = editor.view._undo_stack
    states = []
    for step in (stack.undo, stack.undo, stack.undo, stack.redo, stack.redo, stack.redo):
        step()
        states.append(dict(node.params))
    assert states == [
        {"learning_rate": -1},
        {"learning_rate": 1e-4},
        {},
        {"learning_rate": 1e-4},
        {"learning_rate": -1},
        {},
    ]
    assert seen.count(node) == 9
    changed_signal.disconnect(seen.append)


def test_nothing_is_pushed_where_nothing_changes(editor: Any) -> None:
    node = editor.place(SFT)
    before = editor.view._undo_stack.count()
    set_value(node, "seed", 3)
    set_value(node, "seed", 3)
    reset_value(node, "beta")
    rename(node, "")
    assert editor.view._undo_stack.count() == before + 1
    set_value(node, "seed", 3.0)
    assert type(node.params["seed"]) is float
    set_value(node, "bf16", True)
    set_value(node, "bf16", 1)
    assert node.params["bf16"] == 1
    assert node.params["bf16"] is not True


def test_an_edit_during_another_command_is_not_lost(editor: Any) -> None:
    """A click on another node takes the focus from a field: its edit comes while the selection is being made."""
    first, second = editor.place(SFT, "first"), editor.place(SFT, "second")
    editor.select(first)
    editor.view.nodes_selection_changed.connect(lambda _: set_value(first, "seed", 7))
    for item in editor.view.node_items.values():
        item.setSelected(item.node is second)
    editor.view._select__cmd()
    assert first.params == {"seed": 7}
    editor.settle(50)
    assert first.params == {"seed": 7}
    texts = [editor.view._undo_stack.text(i) for i in range(editor.view._undo_stack.count())]
    assert any("seed = 7" in text for text in texts)


def test_a_failing_command_does_not_end_undo(editor: Any) -> None:
    from ryven_llm_nodes.host.undo import push_undo

    node = editor.place(SFT)

    def fail() -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        push_undo(editor.view, "bad", fail, fail)
    set_value(node, "seed", 1)
    editor.view._undo_stack.undo()
    assert node.params == {}


# Copy, cut, paste, delete


def test_a_copy_has_the_same_values_of_its_own(editor: Any) -> None:
    node = editor.place(SFT, "one", learning_rate=1e-4)
    editor.select(node)
    editor.view._copy()
    editor.view._paste()
    copy = editor.flow.nodes[-1]
    assert copy is not node
    assert copy.params == {"learning_rate": 1e-4}
    set_value(copy, "learning_rate", 1e-3)
    assert node.params == {"learning_rate": 1e-4}


def test_what_is_cut_can_be_pasted(editor: Any) -> None:
    model, sft = editor.place(LoadModel, "base"), editor.place(SFT, "sft", seed=5)
    editor.wire(model, sft, "model")
    editor.select(model, sft)
    editor.view._cut()
    assert editor.flow.nodes == []
    editor.view._paste()
    assert sorted(node.name for node in editor.flow.nodes) == ["base", "sft"]
    assert len(editor.view.connection_items) == 1


@pytest.mark.parametrize("text", ["", "5", "{}", '{"nodes": 3}', "[1", "null", '{"drawings": [], "nodes": []}'])
def test_anything_else_on_the_clipboard_is_left_alone(editor: Any, text: str) -> None:
    QGuiApplication.clipboard().setText(text)
    editor.view._paste()
    assert editor.flow.nodes == []


def test_a_pickle_on_the_clipboard_is_not_loaded(editor: Any) -> None:
    import base64
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return print, ("pwned",)

    editor.select(editor.place(SFT))
    editor.view._copy()
    data = json.loads(QGuiApplication.clipboard().text())
    data["nodes"][0]["state data"] = base64.b64encode(pickle.dumps(Evil())).decode()
    QGuiApplication.clipboard().setText(json.dumps(data))
    editor.view._paste()
    assert len(editor.flow.nodes) == 1


def test_undoing_a_deletion_restores_order_and_wires(editor: Any) -> None:
    nodes = [editor.place(LoadModel), editor.place(SFT), editor.place(SFT), editor.place(SaveModel)]
    editor.wire(nodes[0], nodes[1], "model")
    editor.wire(nodes[1], nodes[2], "model")
    before = list(editor.flow.nodes)
    editor.select(nodes[1])
    editor.view.remove_selected_components__cmd()
    assert nodes[1] not in editor.flow.nodes
    assert editor.view.connection_items == {}
    editor.view._undo_stack.undo()
    assert editor.flow.nodes == before
    assert len(editor.view.connection_items) == 2


def test_a_drag_toward_the_border_can_be_undone(editor: Any) -> None:
    """Ryven's own check counts such a drag twice, and then forgets it."""
    item = editor.place(LoadModel).gui.item
    item.setPos(item.boundingRect().width(), item.boundingRect().height())
    before, way = item.pos(), QPointF(0, -0.4 * item.boundingRect().height())
    editor.view.select_items([item])
    item.setPos(before + way)
    editor.view._move_selected_copmonents__cmd(way, already_moved=True)
    editor.view._undo_stack.undo()
    assert item.pos() == before
    editor.view._undo_stack.redo()
    assert item.pos() == before + way


def test_the_list_on_the_canvas_places_the_node_that_is_clicked(editor: Any) -> None:
    editor.view.show_place_node_widget(QPoint(200, 200))
    nodes = editor.view._node_list_widget
    for text in ("s", "sf", "sft", "", "dpo"):
        nodes.search_line_edit.setText(text)
    widget = nodes.list_layout.itemAt(0).widget()
    assert widget.node is DPO
    widget.chosen.emit()
    assert [type(node) for node in editor.flow.nodes] == [DPO]
    nodes.search_line_edit.setText("no such node")
    editor.qtbot.keyClick(nodes, Qt.Key.Key_Return)
    assert len(editor.flow.nodes) == 1


def test_a_node_built_under_the_pointer_keeps_a_rectangle(editor: Any) -> None:
    item = editor.place(SFT).gui.item
    editor.settle(50)
    whole = item.boundingRect()
    item.widget.setLayout(None)
    assert item.boundingRect() == whole


def test_the_menu_of_a_node_has_no_action_that_raises(open_editor: Any) -> None:
    content = project("flow", [], [])
    editor = open_editor(content)
    node = editor.place(SFT)
    assert list(node.gui.actions) == ["Run to here", "Rename...", "Delete"]
    menu = node.gui.item.get_context_menu()
    assert [action.text() for action in menu.actions()] == list(node.gui.actions)
    other = editor.place(SFT)
    editor.select(other)
    node.gui.delete()
    assert editor.flow.nodes == [other]
