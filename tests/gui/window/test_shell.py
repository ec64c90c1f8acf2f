"""The window: palette, docks, toolbar, and that it is quick to open."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from ryven_llm_nodes.catalogue import ALL_NODES, DPO, GROUPS, GRPO, SFT, LoRA
from ryven_llm_nodes.gui.style.families import KIND_COLOURS, colour_of
from ryven_llm_nodes.templates import TEMPLATES


def test_palette_groups_every_node_by_family(editor: Any) -> None:
    tree = editor.shell.palette.tree
    groups = {tree.topLevelItem(i).text(0): tree.topLevelItem(i) for i in range(tree.topLevelItemCount())}
    assert list(groups)[: len(GROUPS)] == [title.upper() for title in GROUPS]
    shown = {node for node in editor.shell.palette.shown() if node in ALL_NODES}
    assert shown == set(ALL_NODES)
    for group in groups.values():
        for i in range(group.childCount()):
            item = group.child(i)
            if item.text(0) in {node.title for node in ALL_NODES}:
                assert not item.icon(0).isNull()
                assert item.toolTip(0)


@pytest.mark.parametrize(
    ("text", "first", "others"),
    [("grpo", GRPO, ()), ("preference", DPO, ()), ("lora", LoRA, ()), ("supervised", SFT, ()), ("rl", GRPO, ("PPO",))],
)
def test_search_finds_nodes_by_title_and_tag(editor: Any, text: str, first: type, others: tuple[str, ...]) -> None:
    editor.shell.palette.search.setText(text)
    shown = editor.shell.palette.shown()
    assert first in shown[:3]
    assert set(others) <= {node.title for node in shown}
    assert len(shown) < len(ALL_NODES)


def test_enter_in_the_search_places_the_best_hit(editor: Any) -> None:
    editor.qtbot.keyClicks(editor.shell.palette.search, "grpo")
    editor.qtbot.keyClick(editor.shell.palette.search, Qt.Key.Key_Return)
    assert [type(node) for node in editor.flow.nodes] == [GRPO]


def test_nonsense_finds_nothing_and_places_nothing(editor: Any) -> None:
    editor.shell.palette.search.setText("zzzz")
    assert editor.shell.palette.shown() == []
    editor.qtbot.keyClick(editor.shell.palette.search, Qt.Key.Key_Return)
    assert editor.flow.nodes == []


def test_a_node_that_is_dragged_onto_the_canvas_lands_under_the_pointer(editor: Any) -> None:
    tree = editor.shell.palette.tree
    groups = [tree.topLevelItem(i) for i in range(tree.topLevelItemCount())]
    group = next(item for item in groups if item.text(0) == "TRAINERS")
    mime = tree.mimeData([group.child(0)])
    assert json.loads(bytes(mime.data("application/json")))["node identifier"] == "ryven_llm_nodes.SFT"
    place = QPoint(300, 200)
    buttons = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    editor.view.dragEnterEvent(QDragEnterEvent(place, Qt.DropAction.CopyAction, mime, *buttons))
    editor.view.dropEvent(QDropEvent(place, Qt.DropAction.CopyAction, mime, *buttons))
    (node,) = editor.flow.nodes
    assert isinstance(node, SFT)
    assert (node.gui.item.pos() - editor.view.mapToScene(place)).manhattanLength() < 2


def test_toolbar_and_menu_offer_the_same_with_shortcuts(editor: Any) -> None:
    bar = [action for action in editor.shell.toolbar.bar.actions() if action.text()]
    keys = {action.text(): action.shortcut().toString() for action in bar}
    kept = {"Stop and Keep": "Ctrl+Shift+F5"}
    kept |= {"Rehearse": "Ctrl+F5"}
    assert keys == {"Run": "F5", "Stop": "Shift+F5", **kept, "Check": "F6", "Generate Code": "F7"}
    menu = next(a.menu() for a in editor.window.menuBar().actions() if a.text() == "LLM")
    assert [action for action in menu.actions() if action in bar] == bar
    others = [action.text() for action in menu.actions() if action not in bar]
    assert others == [
        *("Retrain All", "Add to Queue", "Isolated Runs", "", "Edit Code in a Window", "Sweep...", ""),
        *("Launch Settings...", ""),
        *("Queue...", "Run History...", "Cached Stages...", "", "Chat...", "", "Next Problem", "Previous Problem"),
    ]
    assert not editor.shell.actions["stop"].isEnabled()


def test_docks_lie_around_a_dominant_canvas(editor: Any) -> None:
    editor.settle()
    docks = editor.shell.docks
    for dock in (docks.log, docks.metrics, docks.completions):
        assert dock.objectName()
        assert "not there" not in type(dock.widget().currentWidget()).__name__
    canvas = editor.view.size()
    window = editor.window.size()
    assert canvas.width() > 0.5 * window.width()
    assert canvas.height() > 0.5 * window.height()
    assert not editor.window.ui.consoleDock.isVisible()


def test_colours_tell_families_apart() -> None:
    assert len({colour_of(node) for node in ALL_NODES}) >= 5
    assert len(set(KIND_COLOURS.values())) == 4


def test_nodes_explain_themselves(editor: Any) -> None:
    for kind in ALL_NODES:
        node = editor.place(kind)
        assert node.gui.color == colour_of(kind)
        assert kind.summary() in node.gui.item.toolTip()


def test_titles_show_the_name(editor: Any) -> None:
    node = editor.place(SFT)
    assert node.gui.display_title == "SFT"
    editor.place(SFT, "warm-up")
    assert editor.flow.nodes[-1].gui.display_title == "SFT · warm-up"
    editor.settle(50)
    assert editor.flow.nodes[-1].gui.item.widget.title_label.title_str == "SFT · warm-up"


def test_an_empty_canvas_says_what_to_do(editor: Any) -> None:
    from ryven_llm_nodes.gui.canvas.empty_hint import Hint

    (hint,) = editor.view.viewport().findChildren(Hint)
    editor.settle(50)
    assert hint.isVisible()
    editor.place(SFT)
    assert not hint.isVisible()
    editor.view._undo_stack.undo()
    editor.view._undo_stack.undo()
    assert hint.isVisible() == (not editor.flow.nodes)


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_templates_open_without_overlaps(open_editor: Any, name: str) -> None:
    editor = open_editor(TEMPLATES[name]())
    editor.settle(400)
    rects = [node.gui.item.sceneBoundingRect() for node in editor.flow.nodes]
    assert rects
    assert all(not a.intersects(b) for i, a in enumerate(rects) for b in rects[i + 1 :])
    assert editor.shell.document.path is None
    assert not editor.shell.document.modified


def test_opening_the_editor_does_not_import_torch() -> None:
    code = (
        "import sys; from ryven_llm_nodes.gui import editor; app = editor.application();"
        "from ryven_llm_nodes.templates import full; w = editor.open_window(full(), app); app.processEvents();"
        "w.llm_shell.commands.check(); import time; t = time.monotonic()\n"
        "while time.monotonic() < t + 1: app.processEvents()\n"
        "print(sorted({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_a_window_opens_without_what_is_used_later_or_maybe_never() -> None:
    later = {"psutil", "filelock", "PySide6.QtNetwork", "superqt", "numpy"}
    code = (
        "import os, sys; from ryven_llm_nodes.gui import editor; app = editor.application();"
        "from ryven_llm_nodes.host.opening import open_new; w = editor.open_window(open_new(None).content, app);"
        "from ryven_llm_nodes.catalogue.training.fields import _class_fields as read;"
        f"print(sorted({later} & set(sys.modules)), read.cache_info().misses, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    imported, _, taken_apart = done.stdout.strip().rpartition(" ")
    assert imported == "[]", done.stdout + done.stderr
    assert int(taken_apart) <= 2, "the palette only asks which classes there are"
