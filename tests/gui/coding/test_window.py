"""The code of a field in a window of its own: node, inspector and window stay in step, and end together."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton

from ryven_llm_nodes.catalogue import ALL_NODES, SFT, RewardFunction
from ryven_llm_nodes.gui.coding.window import SIZE, CodeFieldWindow, code_fields
from ryven_llm_nodes.gui.state import preferences
from ryven_llm_nodes.gui.state.edits import rename, reset_value, set_value
from ryven_llm_nodes.gui.window.coding import NO_CODE

CODE = "def mine(completions, **kwargs):\n    return [1.0 for _ in completions]\n"


@pytest.fixture
def reward(shared: Any) -> Any:
    """A Reward Function on the canvas, selected."""
    node = shared.place(RewardFunction, "score", code=CODE)
    shared.select(node)
    shared.qtbot.waitUntil(lambda: shared.state.selection is node)
    yield node
    shared.shell.coding.end()


def open_window(editor: Any) -> CodeFieldWindow:
    editor.shell.actions["edit_code"].trigger()
    (window,) = editor.shell.coding.windows.values()
    return window


def type_over(window: CodeFieldWindow, text: str) -> None:
    window.view.selectAll()
    window.view.insertPlainText(text)


def test_every_field_of_code_is_found_by_its_widget(shared: Any) -> None:
    coded = [kind for kind in ALL_NODES if any(one.widget == "code" for one in kind.parameters)]
    assert len(coded) >= 7
    for kind in coded:
        node = shared.place(kind)
        (name,) = code_fields(node)
        shared.select(node)
        shared.qtbot.waitUntil(lambda node=node: shared.state.selection is node)
        shared.shell.actions["edit_code"].trigger()
        assert shared.shell.coding.windows[node, name].view.text() == kind.all_parameters()[name].default
    assert code_fields(shared.place(SFT)) == []
    shared.shell.coding.end()
    assert shared.shell.coding.windows == {}


def test_a_node_without_code_is_told(shared: Any) -> None:
    lines = shared.log()
    shared.select(shared.place(SFT))
    shared.settle(20)
    shared.shell.actions["edit_code"].trigger()
    assert lines == [NO_CODE]
    assert shared.shell.coding.windows == {}


def test_the_button_in_the_inspector_opens_one_window_with_what_was_typed(shared: Any, reward: Any) -> None:
    inspector = shared.shell.flows.inspectors[shared.flow]
    shared.qtbot.waitUntil(lambda: inspector.panel(reward).form is not None)
    row = inspector.panel(reward).form.row("code")
    row.editor.view.selectAll()
    row.editor.view.insertPlainText("def typed(completions, **kwargs): ...")
    (button,) = row.findChildren(QToolButton, "window")
    button.click()
    window = open_window(shared)
    assert window.isVisible()
    assert window.view.text() == "def typed(completions, **kwargs): ..."
    assert not inspector.panel(reward).form.row("function").findChildren(QToolButton, "window")


def test_edits_are_undone_and_shown_in_both_places(shared: Any, reward: Any) -> None:
    window = open_window(shared)
    row = shared.shell.flows.inspectors[shared.flow].panel(reward).form.row("code")
    type_over(window, "def other(completions, **kwargs): ...")
    shared.qtbot.waitUntil(lambda: reward.params["code"].startswith("def other"))
    assert row.editor.view.text() == window.view.text()
    shared.view._undo_stack.undo()
    assert reward.params["code"] == window.view.text() == row.editor.view.text() == CODE
    shared.view._undo_stack.redo()
    assert window.view.text().startswith("def other")
    row.edited.emit("code", "def third(completions, **kwargs): ...")
    assert window.view.text().startswith("def third")
    reset_value(reward, "code")
    default = RewardFunction.all_parameters()["code"].default
    assert window.view.text() == default
    set_value(reward, "code", CODE)
    type_over(window, default)
    window.flush()
    assert "code" not in reward.params, "the default is no value of its own"


def test_what_is_being_typed_survives_other_edits_and_is_committed_before_a_run_or_a_save(
    shared: Any, reward: Any
) -> None:
    window = open_window(shared)
    type_over(window, "x = 1")
    set_value(reward, "time_limit", 7)
    assert window.view.text() == "x = 1"
    assert reward.params["code"] == CODE
    shared.shell.flows.flush()
    assert reward.params["code"] == "x = 1"


def test_the_title_follows_the_name(shared: Any, reward: Any) -> None:
    window = open_window(shared)
    assert window.windowTitle() == "Reward Function · score · code"
    rename(reward, "better")
    assert window.windowTitle() == "Reward Function · better · code"


def test_it_closes_with_its_node_and_opens_with_the_size_it_had(shared: Any, reward: Any) -> None:
    window = open_window(shared)
    assert (window.width(), window.height()) <= SIZE
    shared.qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.isVisible()
    window.resize(700, 500)
    type_over(window, "x = 2")
    window.close()
    assert shared.shell.coding.windows == {}
    assert reward.params["code"] == "x = 2"
    window = open_window(shared)
    assert (window.width(), window.height()) == (700, 500)
    shared.view.remove_selected_components__cmd()
    shared.qtbot.waitUntil(lambda: shared.shell.coding.windows == {})
    preferences.keep("code_window", "large")
    shared.view._undo_stack.undo()
    shared.shell.coding.show(reward, "code")
    window = open_window(shared)
    assert window.width() == min(SIZE[0], window.screen().availableSize().width())


def test_it_closes_with_its_flow(shared: Any) -> None:
    flow = shared.window.core_session.create_flow("second")
    shared.settle(100)
    node = flow.create_node(RewardFunction)
    shared.shell.coding.show(node, "code")
    assert len(shared.shell.coding.windows) == 1
    shared.window.core_session.delete_flow(flow)
    assert shared.shell.coding.windows == {}
