"""The list of findings, and the way from there to node and field."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt

from ryven_llm_nodes.catalogue import DPO, SFT
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.state.edits import set_value


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests."""
    return shared


@pytest.fixture
def panel(editor: Any) -> Any:
    """The list of a flow with two nodes: two errors at one of them, and a warning at the other."""
    editor.window.show()
    sft, dpo = editor.place(SFT, "first", learning_rate=-1), editor.place(DPO, "other")
    dpo.gui.item.setPos(sft.gui.item.pos().x() + 600, 0)
    editor.state.show_problems(
        [
            Problem("is odd.", "DPO 'other'", "beta", weight="warning"),
            Problem("must be greater than 0.", "SFT 'first'", "learning_rate"),
            Problem("this input is not connected.", "SFT 'first'", "model"),
        ]
    )
    editor.shell.docks.show_model()
    made = editor.shell.docks.problems.widget().currentWidget()
    made.refresh()
    return made


def rows(panel: Any) -> list[tuple[str, ...]]:
    items = (panel.list.topLevelItem(i) for i in range(panel.list.topLevelItemCount()))
    return [tuple(item.text(column) for column in range(3)) for item in items]


def test_the_most_severe_come_first(panel: Any) -> None:
    assert rows(panel) == [
        ("SFT · first", "learning_rate", "error: must be greater than 0."),
        ("SFT · first", "model", "error: this input is not connected."),
        ("DPO · other", "beta", "warning: is odd."),
    ]


def test_a_click_leads_to_node_and_field(panel: Any, editor: Any) -> None:
    rect = panel.list.visualItemRect(panel.list.topLevelItem(0))
    editor.qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, rect.center().y()))
    editor.settle()
    assert editor.view.selected_nodes() == [editor.node("first")]
    form = editor.shell.flows.inspectors[editor.flow].panel(editor.node("first")).form
    assert form.isVisible()
    assert form.row("learning_rate").isVisible()


def test_keys_go_round(panel: Any, editor: Any) -> None:
    seen = []
    for _ in range(4):
        editor.shell.actions["next_problem"].trigger()
        seen.append((editor.view.selected_nodes()[0].name, panel.list.currentItem().text(1)))
    assert seen == [("first", "learning_rate"), ("first", "model"), ("other", "beta"), ("first", "learning_rate")]
    editor.shell.actions["previous_problem"].trigger()
    assert panel.list.currentItem().text(1) == "beta"


def test_the_list_follows_the_flow(panel: Any, editor: Any) -> None:
    set_value(editor.node("first"), "learning_rate", 1e-5)
    editor.settle(400)
    assert ("SFT · first", "learning_rate", "error: must be greater than 0.") not in rows(panel)
    editor.state.clear_problems()
    editor.settle(200)
    assert rows(panel) == []
    assert panel.nothing.isVisibleTo(panel)
    assert not panel.step(1)
