"""Groups and notes on the canvas, by mouse and keys: moved with what lies in them, undone, copied, saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import QPoint, QPointF, QRectF, Qt
from qtpy.QtGui import QCursor
from qtpy.QtTest import QTest

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.gui.canvas.tidy import tidy
from ryven_llm_nodes.host.annotations import inside, items_on
from ryven_llm_nodes.host.opening import open_file
from ryven_llm_nodes.host.saving import save_project
from ryven_llm_nodes.program.annotations import KEY, annotations_of

BUTTON = Qt.MouseButton.LeftButton


@pytest.fixture
def drawn(shared: Any) -> Any:
    """Two nodes next to each other, and one far away."""
    shared.window.show()
    shared.window.activateWindow()
    for place, (kind, name) in enumerate(((LoadModel, "base"), (SFT, "sft"), (LoadModel, "other"))):
        node = shared.place(kind, name)
        node.gui.item.setPos(QPointF(3000 + 400 * place + 900 * (place == 2), 3000))
    shared.view.resetTransform()
    shared.view.centerOn(3300, 3000)
    shared.settle(50)
    return shared


def at(editor: Any, place: QPointF) -> QPoint:
    return editor.view.mapFromScene(place)


def drag(editor: Any, begin: QPointF, end: QPointF) -> None:
    """By the mouse, in steps."""
    port = editor.view.viewport()
    QTest.mouseMove(port, at(editor, begin))
    QTest.mousePress(port, BUTTON, Qt.KeyboardModifier.NoModifier, at(editor, begin))
    for step in range(1, 6):
        QTest.mouseMove(port, at(editor, begin + (end - begin) * step / 5))
        editor.settle(5)
    QTest.mouseRelease(port, BUTTON, Qt.KeyboardModifier.NoModifier, at(editor, end))
    editor.settle(20)


def grouped(editor: Any, title: str = "Training") -> Any:
    """A group around the first two nodes, as its keys make it."""
    editor.select(editor.node("base"), editor.node("sft"))
    editor.shell.actions["group"].trigger()
    editor.settle(20)
    QTest.keyClicks(editor.view, title)
    QTest.keyClick(editor.view, Qt.Key.Key_Return)
    editor.settle(20)
    (item,) = items_on(editor.view)
    return item


def spot(item: Any) -> QPointF:
    """Where a group is held: on its title."""
    return item.scene_box.topLeft() + QPointF(60, 12)


def test_a_group_is_drawn_around_what_is_selected(drawn: Any) -> None:
    item = grouped(drawn)
    assert item.about.text == "Training"
    assert [one.node.name for one in inside(item)] == ["base", "sft"]
    boxes = [drawn.node(name).gui.item.sceneBoundingRect() for name in ("base", "sft")]
    assert all(item.scene_box.contains(box) for box in boxes)
    drawn.view._undo_activated()
    drawn.view._undo_activated()
    assert items_on(drawn.view) == []
    drawn.view._redo_activated()
    drawn.view._redo_activated()
    assert [one.about.text for one in items_on(drawn.view)] == ["Training"]


def test_a_group_moves_what_lies_in_it(drawn: Any) -> None:
    item = grouped(drawn)
    before = {name: drawn.node(name).gui.item.pos() for name in ("base", "sft", "other")}
    place = item.pos()
    drag(drawn, spot(item), spot(item) + QPointF(80, 60))
    by = item.pos() - place
    assert by != QPointF(0, 0)
    for name in ("base", "sft"):
        assert drawn.node(name).gui.item.pos() == before[name] + by
    assert drawn.node("other").gui.item.pos() == before["other"]
    drawn.view._undo_activated()
    assert item.pos() == place
    assert {name: drawn.node(name).gui.item.pos() for name in before} == before
    drawn.view._redo_activated()
    assert drawn.node("sft").gui.item.pos() == before["sft"] + by
    assert item.pos() == place + by


def test_the_inside_of_a_group_is_canvas(drawn: Any) -> None:
    item = grouped(drawn)
    empty = QPointF(item.scene_box.center().x(), item.scene_box.bottom() - 30)
    before = item.pos()
    drag(drawn, empty, empty + QPointF(50, 0))
    assert item.pos() == before
    assert not item.isSelected(), "a drag there selects by a rectangle"


def test_the_corner_resizes(drawn: Any) -> None:
    item = grouped(drawn)
    before = item.about
    corner = item.scene_box.bottomRight() - QPointF(5, 5)
    drag(drawn, corner, corner + QPointF(90, 40))
    assert (item.about.width, item.about.height) == pytest.approx((before.width + 90, before.height + 40), abs=3)
    drawn.view._undo_activated()
    assert item.about == before


def test_letters_of_commands_are_text_in_a_note(drawn: Any) -> None:
    QCursor.setPos(drawn.view.viewport().mapToGlobal(QPoint(300, 300)))
    drawn.shell.actions["note"].trigger()
    drawn.settle(20)
    QTest.keyClicks(drawn.view, "mfn and ")
    QTest.keyClick(drawn.view, Qt.Key.Key_Return)
    QTest.keyClicks(drawn.view, "more")
    QTest.keyClick(drawn.view, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    drawn.settle(20)
    assert [item.about.text for item in items_on(drawn.view)] == ["mfn and \nmore"]
    assert len(drawn.flow.nodes) == 3, "keys have deleted nothing"
    (item,) = items_on(drawn.view)
    item.edit()
    QTest.keyClicks(drawn.view, "other")
    QTest.keyClick(drawn.view, Qt.Key.Key_Escape)
    assert item.about.text == "mfn and \nmore"


def test_deleted_with_the_key_and_restored(drawn: Any) -> None:
    item = grouped(drawn)
    drawn.view.select_items([item])
    drawn.view.setFocus()
    QTest.keyClick(drawn.view, Qt.Key.Key_Delete)
    assert items_on(drawn.view) == []
    assert len(drawn.flow.nodes) == 3, "what lies in it stays"
    drawn.view._undo_activated()
    assert items_on(drawn.view) == [item]
    item.make_menu().actions()[-1].trigger()
    assert items_on(drawn.view) == []


def test_what_is_gone_already_is_not_restored_with_what_is_deleted(drawn: Any) -> None:
    item = grouped(drawn)
    drawn.view.select_items([item, drawn.node("other").gui.item])
    drawn.view._undo_activated()
    drawn.view._undo_activated()
    assert items_on(drawn.view) == []
    drawn.view.remove_selected_components__cmd()
    drawn.view._undo_activated()
    assert items_on(drawn.view) == []


def test_copied_with_nodes_and_alone(drawn: Any) -> None:
    item = grouped(drawn)
    drawn.view.select_items([item, *(drawn.node(name).gui.item for name in ("base", "sft"))])
    drawn.view._copy()
    drawn.view._last_mouse_move_pos = QPointF(4000, 4000)
    drawn.view._paste()
    drawn.settle(20)
    _, copy = items_on(drawn.view)
    assert copy.about.text == "Training"
    assert {one.node.name for one in inside(copy)} == {"base_2", "sft_2"}
    assert copy.isSelected()
    drawn.view._undo_activated()
    assert items_on(drawn.view) == [item]
    assert len(drawn.flow.nodes) == 3
    drawn.view.select_items([item])
    drawn.view._copy()
    drawn.view._paste()
    assert items_on(drawn.view)[1].scene_box.center() == QPointF(4000, 4000)
    drawn.shell.actions["duplicate"].trigger()
    assert len(items_on(drawn.view)) == 3


def test_saved_in_the_flow_file_and_opened_again(drawn: Any, open_editor: Any, tmp_path: Path) -> None:
    item = grouped(drawn)
    item._colour("good")
    file = tmp_path / "flow.json"
    save_project(drawn.window, file)
    (flow,) = json.loads(file.read_text())["flows"].values()
    assert [one.text for one in annotations_of(flow[KEY])] == ["Training"]
    again = open_editor(open_file(file).content, file)
    again.settle(100)
    assert [one.about for one in items_on(again.view)] == [item.about]


def test_tidying_keeps_a_group_around_its_nodes(drawn: Any) -> None:
    item = grouped(drawn)
    tidy(drawn.view)
    assert {one.node.name for one in inside(item)} == {"base", "sft"}
    for name in ("base", "sft"):
        assert item.scene_box.contains(drawn.node(name).gui.item.sceneBoundingRect())


def test_arrow_keys_move_what_lies_in_a_group(drawn: Any) -> None:
    item = grouped(drawn)
    drawn.view.select_items([item])
    before = drawn.node("base").gui.item.pos()
    drawn.view._move_selected_comps_right()
    assert drawn.node("base").gui.item.pos() == before + QPointF(40, 0)
    drawn.view._undo_activated()
    assert drawn.node("base").gui.item.pos() == before


def test_a_flow_of_notes_alone_is_filled_into_an_empty_one(shared: Any) -> None:
    from ryven_llm_nodes.host.filling import fill

    drawn = flows.alone("sft")
    about = {"kind": "note", "text": "read me", "x": 100, "y": 120, "width": 200, "height": 90, "colour": "teal"}
    drawn["flows"]["sft"][KEY] = {"items": [about]}
    fill(shared.view, drawn)
    (item,) = items_on(shared.view)
    assert item.scene_box == QRectF(100, 120, 200, 90)
    shared.view._undo_activated()
    assert items_on(shared.view) == []
