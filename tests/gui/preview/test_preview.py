"""The preview dock: what a user sees of the rows of the node that is selected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QToolTip, QWidget

from ryven_llm_nodes.gui.preview import client as client_module
from ryven_llm_nodes.gui.preview.client import PreviewClient
from ryven_llm_nodes.gui.preview.lengths import LengthsPlot
from ryven_llm_nodes.gui.preview.panel import NOTHING, PreviewPanel
from ryven_llm_nodes.gui.preview.tokens import TokenView, describe_piece
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.gui.window.looking import UNKNOWN_CODE

WAIT = 60_000


@pytest.fixture
def opened(open_editor: Callable[..., Any], work: Path) -> Any:
    """The chain of all methods in an editor, with the preview in front."""
    path = work / "flow.json"
    editor = open_editor(json.loads(flows.save(flows.chain(), path).read_text()), path)
    editor.window.resize(1500, 860)
    editor.window.show()
    editor.shell.docks.preview.raise_()
    editor.settle()
    return editor


def panel_of(editor: Any) -> PreviewPanel:
    editor.shell.docks.show_model()  # the panels are made once the window was painted
    return editor.shell.docks.preview.widget().currentWidget()


def wait_for(editor: Any, words: str) -> PreviewPanel:
    """The panel, once its bar names ``words``."""
    panel = panel_of(editor)
    editor.qtbot.waitUntil(lambda: words in panel.bar.title.text() and panel.content.isVisible(), timeout=WAIT)
    return panel


def test_what_is_trained_read_and_cut_follows_the_selection(opened: Any) -> None:
    assert panel_of(opened).words.text() == NOTHING
    set_value(opened.node("sft"), "max_length", 5)
    opened.select(opened.node("sft"))
    panel = wait_for(opened, "sft")
    assert panel.tokens.toPlainText() == "what is 0 answer 0<eos>"
    assert "6 tokens: 2 trained, 3 read only, 1 cut" in panel.facts.text()
    assert "16 cut at max_length" in panel.facts.text()
    assert panel.bar.of.text() == "of 16 rows"
    panel.bar.after.click()
    opened.qtbot.waitUntil(lambda: panel.tokens.toPlainText() == "what is 1 answer 1<eos>", timeout=WAIT)
    panel.bar.number.setText("8")
    panel.bar.number.returnPressed.emit()
    opened.qtbot.waitUntil(lambda: panel.tokens.toPlainText() == "what is 7 answer 7<eos>", timeout=WAIT)
    set_value(opened.node("sft"), "max_length", 50)
    opened.qtbot.waitUntil(lambda: "none is cut or dropped" in panel.facts.text(), timeout=WAIT)
    assert "<b" in panel.bar.title.text()

    opened.select(opened.node("dpo_rows"))
    wait_for(opened, "dpo_rows")
    assert panel.bar.of.text() == "rows 1 to 16 of 16"
    assert [panel.table.horizontalHeaderItem(i).text() for i in range(4)] == ["row", "prompt", "chosen", "rejected"]
    panel.table.choose("2")
    assert panel.detail.toPlainText().split("\n") == ["prompt", "what is 2", "chosen", " yes", "rejected", " no no"]
    assert "preference, standard" in panel.facts.text()

    opened.select(opened.node("variety"))  # has no rows: what was shown stays
    opened.settle()
    assert "dpo_rows" in panel.bar.title.text()


def test_problems_of_the_flow_take_the_place_of_rows(opened: Any, work: Path) -> None:
    set_value(opened.node("sft_rows"), "path", "missing.jsonl")
    opened.select(opened.node("sft_rows"))
    panel = panel_of(opened)
    opened.qtbot.waitUntil(lambda: "missing.jsonl" in panel.words.text(), timeout=WAIT)
    assert not panel.content.isVisible()


def test_code_that_was_not_allowed_is_not_executed(open_editor: Callable[..., Any], work: Path) -> None:
    path = work / "flow.json"
    editor = open_editor(json.loads(flows.save(flows.alone("ppo"), path).read_text()), path, trusted=False)
    editor.window.show()
    editor.shell.docks.preview.raise_()
    editor.select(editor.node("ppo"))
    panel = panel_of(editor)
    editor.qtbot.waitUntil(lambda: panel.words.text() == UNKNOWN_CODE, timeout=WAIT)
    assert editor.shell.runs.examiner._lines.process is None


def test_nothing_is_loaded_while_the_dock_is_hidden(open_editor: Callable[..., Any], work: Path) -> None:
    editor = open_editor(flows.chain(), flows.save(flows.chain(), work / "flow.json"))
    editor.window.show()
    editor.select(editor.node("sft_rows"))
    editor.settle(900)
    assert editor.shell.runs.examiner._lines.process is None
    editor.shell.docks.preview.raise_()
    editor.qtbot.waitUntil(lambda: editor.shell.runs.examiner._lines.process is not None, timeout=WAIT)


# Parts


PIECES = [
    {"text": "what", "kind": "context", "ids": [7]},
    {"text": " is\n", "kind": "trained", "ids": [8, 9]},
    {"text": "<eos>", "kind": "cut", "ids": [1]},
]


def test_tokens_look_like_what_happens_to_them(qapp: Any) -> None:
    view = TokenView()
    view.show_sequences([("row", PIECES)])
    assert view.toPlainText() == "what is↵\n<eos>"
    looks = [_look(view, position) for position in (0, 5, 12)]
    assert [look.fontStrikeOut() for look in looks] == [False, False, True]
    assert len({look.foreground().color().name() for look in looks}) == 3
    assert view.piece_at(0) == PIECES[0]
    assert view.piece_at(6) == PIECES[1]
    assert describe_piece(view.piece_at(6)) == "' is\\n'\nid 8, 9\ntrained: the loss is computed on it"
    assert describe_piece(None) == ""


def _look(view: TokenView, position: int) -> Any:
    cursor = view.textCursor()
    cursor.setPosition(position + 1)
    return cursor.charFormat()


def test_the_id_of_a_token_is_under_the_pointer(qapp: Any) -> None:
    view = TokenView()
    view.resize(300, 100)
    view.show_sequences([("row", PIECES)])
    view.show()
    place = view.cursorRect(view.textCursor()).center() + QPoint(4, 0)
    view.event(QHelpEvent(QEvent.Type.ToolTip, view.viewport().mapTo(view, place), view.mapToGlobal(place)))
    assert "id 7" in QToolTip.text()
    view.hide()


def test_sequences_of_a_pair_have_headings(qapp: Any) -> None:
    view = TokenView()
    view.show_sequences([("chosen", PIECES[:1]), ("rejected", PIECES[2:])])
    assert view.toPlainText() == "chosen\nwhat\n\nrejected\n<eos>"


def test_lengths(qapp: Any) -> None:
    plot = LengthsPlot()
    plot.resize(200, 52)
    empty = plot.grab().toImage()
    plot.show_histogram({"edges": [1, 5, 9], "counts": [3, 1], "median": 2, "most": 8})
    assert plot.grab().toImage() != empty
    assert plot.toolTip() == "1 to 4 tokens: 3\n5 to 8 tokens: 1"


def test_a_process_that_dies_is_told_and_replaced(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = ("-c", "import sys; sys.stdin.readline(); print('out of memory', file=sys.stderr); sys.exit(9)")
    monkeypatch.setattr(client_module, "COMMAND", dying)
    client, owner, answers = PreviewClient(), QWidget(), []
    qtbot.addWidget(owner)
    client.ask({"number": 1}, owner, answers.append)
    qtbot.waitUntil(lambda: len(answers) == 1, timeout=WAIT)
    assert answers[0] == {"problems": ["The process that loads the rows has ended: out of memory"]}
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    client._lines.command = ("-c", echo)
    client.ask({"number": 2}, owner, answers.append)
    qtbot.waitUntil(lambda: len(answers) == 2, timeout=WAIT)
    assert answers[1] == {"number": 2}
    client.stop()


def test_a_part_of_an_answer_does_not_end_the_question(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = "import sys\nfor line in sys.stdin: print('{\"partial\": 1}', flush=True); print(line, end='', flush=True)"
    monkeypatch.setattr(client_module, "COMMAND", ("-c", twice))
    client, owner = PreviewClient(), QWidget()
    qtbot.addWidget(owner)
    answers: list[Mapping[str, Any]] = []
    for number in (1, 2):
        client.ask({"number": number}, owner, answers.append)
    qtbot.waitUntil(lambda: len(answers) == 4, timeout=WAIT)
    assert answers == [{"partial": 1}, {"number": 1}, {"partial": 1}, {"number": 2}]
    client.stop()


def test_only_the_newest_question_of_an_owner_is_asked(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    monkeypatch.setattr(client_module, "COMMAND", ("-c", echo))
    client, owner = PreviewClient(), QWidget()
    qtbot.addWidget(owner)
    answers: list[Mapping[str, Any]] = []
    for number in range(1, 6):
        client.ask({"number": number}, owner, answers.append)
    qtbot.waitUntil(lambda: len(answers) == 2, timeout=WAIT)
    assert [answer["number"] for answer in answers] == [1, 5]
    client.stop()
