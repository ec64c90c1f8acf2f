"""Help: pages of nodes, shortcuts, and the search of commands."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QUrl

from ryven_llm_nodes.catalogue import ALL_NODES, DPO, SFT
from ryven_llm_nodes.catalogue.pages import file_of
from ryven_llm_nodes.gui.window.actions import ACTIONS


@pytest.fixture
def editor(shared: Any) -> Any:
    """One window for all of these tests."""
    return shared


def text(editor: Any) -> str:
    return editor.shell.helping.window.browser.toPlainText()


def test_the_page_of_the_selected_node(editor: Any) -> None:
    editor.select(editor.place(SFT))
    editor.settle(50)
    editor.shell.actions["help"].trigger()
    assert text(editor).startswith("SFT\nSupervised fine-tuning")
    for part in ("learning_rate", "Columns of the dataset", "pipeline.train("):
        assert part in text(editor)


def test_the_list_leads_to_every_node(editor: Any) -> None:
    editor.shell.actions["help"].trigger()
    for node in ALL_NODES:
        assert node.title in text(editor)
        editor.shell.helping.window.browser.anchorClicked.emit(QUrl(f"node:{file_of(node)}"))
        assert text(editor).startswith(node.title)
        editor.shell.helping.window.browser.anchorClicked.emit(QUrl("node:"))


def test_the_list_is_searched(editor: Any) -> None:
    editor.shell.actions["help"].trigger()
    editor.shell.helping.window.search.setText("preference pairs")
    assert "DPO" in text(editor)
    assert "Load Model" not in text(editor)


def test_every_key_is_on_the_sheet(editor: Any) -> None:
    editor.shell.actions["shortcuts"].trigger()
    for action in ACTIONS:
        assert not action.key or (action.key in text(editor) and action.tip.split(":")[0] in text(editor))


class TestFinder:
    @pytest.fixture
    def finder(self, editor: Any) -> Any:
        editor.window.show()
        made = editor.shell.helping.find()
        yield made
        if isalive(made):
            made.close()

    def shown(self, finder: Any) -> list[str]:
        return [finder.list.item(i).text() for i in range(finder.list.count())]

    def test_all_commands_are_listed(self, finder: Any) -> None:
        names = {line.split("    ")[0] for line in self.shown(finder)}
        assert {action.text for action in ACTIONS} - names == {"Find Command..."}

    def test_by_what_it_does(self, finder: Any) -> None:
        finder.search.setText("every problem")
        assert self.shown(finder)[0] == "Check    F6"
        finder.search.setText("tid")
        assert self.shown(finder)[0] == "Tidy"
        finder.search.setText("qqqq")
        assert self.shown(finder) == []

    def test_enter_does_it(self, finder: Any, editor: Any) -> None:
        editor.qtbot.keyClicks(finder.search, "add dpo")
        editor.qtbot.keyClick(finder.search, Qt.Key.Key_Return)
        assert [type(node) for node in editor.flow.nodes] == [DPO]

    def test_what_is_not_available_is_not_done(self, finder: Any, editor: Any) -> None:
        editor.qtbot.keyClicks(finder.search, "stop and keep")
        assert not finder.list.item(0).flags() & Qt.ItemFlag.ItemIsEnabled
        editor.qtbot.keyClick(finder.search, Qt.Key.Key_Return)
        assert finder.isVisible()
