"""Wires that are drawn by keys alone."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QPointF, Qt

from ryven_llm_nodes.catalogue import DPO, SFT, LoadDataset, LoadModel
from ryven_llm_nodes.gui.window.connecting import GAP, NONE_FITS
from ryven_llm_nodes.host.wires import is_fitting


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests, with nodes and no wire."""
    shared.window.show()
    places = {"base": (LoadModel, 100, 100), "sft": (SFT, 500, 100), "dpo": (DPO, 900, 100)}
    for name, (kind, x, y) in places.items():
        shared.place(kind, name).gui.item.setPos(QPointF(x, y))
    shared.settle(50)
    shared.window.activateWindow()
    shared.view.setFocus()
    shared.settle(50)
    return shared


@pytest.fixture
def finder(editor: Any) -> Any:
    """Opens the list by its key, with some nodes selected."""
    made: list[Any] = []

    def open_list(*selected: str) -> Any:
        editor.select(*map(editor.node, selected))
        made.append(editor.shell.connecting.show())
        return made[-1]

    yield open_list
    for one in made:
        if one is not None and isalive(one):
            one.close()


def shown(finder: Any) -> list[str]:
    return [finder.list.item(row).text() for row in range(finder.list.count())]


def source(editor: Any, name: str, port: str = "model") -> Any:
    return editor.flow.connected_output(editor.node(name).inputs[place(port)])


def place(port: str) -> int:
    """Where an input of DPO is."""
    return [declared.name for declared in DPO.in_ports].index(port)


def test_the_list_holds_what_fits_the_selected_node(finder: Any) -> None:
    assert shown(finder("sft")) == ["sft.model -> dpo.model", "sft.model -> dpo.reference", "base.model -> sft.model",
                                    "dpo.model -> sft.model"]  # fmt: skip


def test_without_a_selection_it_holds_all(finder: Any) -> None:
    assert len(shown(finder())) == 6


def test_enter_draws_the_wire_and_undo_takes_it_back(editor: Any, finder: Any) -> None:
    listed = finder("sft")
    steps = editor.view._undo_stack.count()
    editor.qtbot.keyClicks(listed.search, "dpo.ref")
    editor.qtbot.keyClick(listed.search, Qt.Key.Key_Return)
    assert source(editor, "dpo", "reference") is editor.node("sft").outputs[0]
    assert editor.view._undo_stack.count() == steps + 1
    editor.view._undo_stack.undo()
    assert editor.view.connection_items == {}


def test_a_wire_that_is_there_is_replaced_in_one_step(editor: Any, finder: Any) -> None:
    editor.wire(editor.node("base"), editor.node("dpo"), "model")
    listed = finder("sft")
    assert shown(listed)[-1] == "sft.model -> dpo.model    replaces base.model"
    editor.qtbot.keyClicks(listed.search, "sft.model -> dpo.model")
    editor.qtbot.keyClick(listed.search, Qt.Key.Key_Return)
    assert source(editor, "dpo") is editor.node("sft").outputs[0]
    editor.view._undo_stack.undo()
    assert source(editor, "dpo") is editor.node("base").outputs[0]


def test_the_mouse_replaces_in_one_step_too(editor: Any) -> None:
    editor.wire(editor.node("base"), editor.node("dpo"), "model")
    editor.wire(editor.node("sft"), editor.node("dpo"), "model")
    assert source(editor, "dpo") is editor.node("sft").outputs[0]
    editor.view._undo_stack.undo()
    assert source(editor, "dpo") is editor.node("base").outputs[0]
    editor.wire(editor.node("base"), editor.node("dpo"), "model")
    assert source(editor, "dpo") is None, "the same wire once more removes it"


def test_escape_leaves_all_as_it_was(editor: Any, finder: Any) -> None:
    steps = editor.view._undo_stack.count()
    listed = finder("sft")
    editor.qtbot.keyClick(listed.search, Qt.Key.Key_Escape)
    assert not isalive(listed) or not listed.isVisible()
    assert editor.view._undo_stack.count() == steps
    assert is_fitting(editor.node("sft").gui.item.outputs[0].pin) is None


def test_the_pins_of_the_marked_wire_glow(editor: Any, finder: Any) -> None:
    listed = finder("sft")
    sft, dpo = editor.node("sft").gui.item, editor.node("dpo").gui.item
    assert is_fitting(sft.outputs[0].pin)
    pins = [dpo.inputs[place(port)].pin for port in ("model", "reference")]
    assert [is_fitting(pin) for pin in pins] == [True, False]
    editor.qtbot.keyClick(listed.search, Qt.Key.Key_Down)
    assert [is_fitting(pin) for pin in pins] == [False, True]


def test_the_canvas_above_it_is_seen(editor: Any, finder: Any) -> None:
    listed, canvas = finder("sft"), editor.view.viewport()
    bottom = canvas.mapToGlobal(canvas.rect().bottomLeft()).y()
    window = editor.window.mapToGlobal(editor.window.rect().bottomLeft()).y()
    assert listed.y() > bottom or listed.y() + listed.height() == window - GAP, "as low as it can be"
    assert bottom - listed.y() < canvas.height() / 10
    assert listed.y() + listed.height() <= window


def test_where_nothing_fits_the_log_says_so(editor: Any, finder: Any) -> None:
    rows, lines = editor.place(LoadDataset, "rows"), editor.log()
    for node in ("sft", "dpo"):
        editor.view.select_items([editor.node(node).gui.item])
        editor.view.remove_selected_components__cmd()
    assert finder(rows.name) is None
    assert lines == [NONE_FITS]


def test_two_nodes_of_one_name_are_told_apart_by_their_titles(editor: Any, finder: Any) -> None:
    from ryven_llm_nodes.gui.state.edits import rename

    rename(editor.node("dpo"), "base")
    assert "SFT · sft.model -> DPO · base.model" in shown(finder("sft"))


def test_the_key_opens_it_on_the_canvas(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(editor.shell.connecting, "show", lambda: opened.append("connect"))
    editor.qtbot.keyClick(editor.view, Qt.Key.Key_C)
    assert opened == ["connect"]
