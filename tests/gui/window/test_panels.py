"""The panels in the real window: edits travel through Ryven's undo stack and come back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from qtpy.QtCore import Qt

from ryven_llm_nodes.catalogue import ORPO, SFT
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.gui.inspector.panel import InspectorPanel
from ryven_llm_nodes.gui.window.node_palette import Palette


def test_the_panels_load_nothing_heavy() -> None:
    names = ("inspector.panel", "curves.dock", "completions.browser", "log.view", "code.view")
    code = "import sys\n" + "".join(f"import ryven_llm_nodes.gui.{name}\n" for name in names)
    code += "print({'torch', 'transformers', 'trl', 'datasets', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


class Gone(ORPO):
    """A method that the installed TRL does not have."""

    title = "Gone"
    config = ConfigClass("GoneConfig", ("trl/experimental/gone/gone_config.py:GoneConfig",))


def test_a_node_that_the_installed_libraries_cannot_run_is_grey_and_says_why(qtbot: Any) -> None:
    palette = Palette([Gone, ORPO])
    qtbot.addWidget(palette)
    palette.search.setText("preference")
    items = {item.text(0): item for item in map(palette.tree.topLevelItem, range(palette.tree.topLevelItemCount()))}
    assert "needs GoneConfig, which trl 1." in items["Gone"].toolTip(0)
    assert items["Gone"].foreground(0).color() != items["ORPO"].foreground(0).color()
    assert items["ORPO"].toolTip(0) == ORPO.summary()


def panel_of(editor: Any, node: Any) -> InspectorPanel:
    editor.select(node)

    def shown() -> list[InspectorPanel]:
        panels = editor.window.findChildren(InspectorPanel)
        return [panel for panel in panels if panel.node is node and panel.isVisible()]

    editor.qtbot.waitUntil(lambda: bool(shown()))
    return shown()[0]


def test_an_edit_is_undone_and_redone(editor: Any) -> None:
    node = editor.place(SFT, "sft")
    panel = panel_of(editor, node)
    line = panel.form.row("learning_rate").editor.line
    line.selectAll()
    editor.qtbot.keyClicks(line, "1e-6")
    editor.qtbot.keyClick(line, Qt.Key.Key_Return)
    assert node.params == {"learning_rate": 1e-6}
    editor.view._undo_stack.undo()
    assert (node.params, line.text()) == ({}, "5e-5")
    editor.view._undo_stack.redo()
    assert (node.params, line.text()) == ({"learning_rate": 1e-6}, "1e-6")


def test_what_is_being_typed_survives_the_choice_of_another_node(editor: Any) -> None:
    first, second = editor.place(SFT, "first"), editor.place(SFT, "second")
    panel = panel_of(editor, first)
    line = panel.form.row("learning_rate").editor.line
    line.selectAll()
    editor.qtbot.keyClicks(line, "wrong")
    panel_of(editor, second)
    assert first.params == {"learning_rate": "wrong"}
    again = panel_of(editor, first).form.row("learning_rate")
    assert again.editor.line.text() == "wrong"
    assert again.problem_text.startswith("must be a number")


def test_a_node_that_is_deleted_takes_no_more_edits(editor: Any) -> None:
    node = editor.place(SFT, "sft")
    panel = panel_of(editor, node)
    line = panel.form.row("learning_rate").editor.line
    editor.qtbot.keyClicks(line, "7")
    editor.view.remove_selected_components__cmd()
    panel.flush()
    editor.settle(700)
    assert node not in editor.flow.nodes
    before = dict(node.params)
    editor.view._undo_stack.undo()
    assert node in editor.flow.nodes
    assert node.params == before
