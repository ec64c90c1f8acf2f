"""The chat window: what is said reaches one or two models, and replies become training rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest

from ryven_llm_nodes.gui.chat.window import ChatWindow
from ryven_llm_nodes.run.chat.models import ChatModel

pytestmark = pytest.mark.gui
LONG = 120_000
"""Milliseconds in which a process loads torch and a tiny model, on a busy machine."""


@pytest.fixture
def chat(qtbot: Any, workspace: Path, tmp_path: Path) -> ChatWindow:
    (tmp_path / "other").symlink_to(workspace / "model")
    models = [ChatModel("sft", str(workspace / "model")), ChatModel("dpo", str(tmp_path / "other"))]
    window = ChatWindow(lambda: models)
    qtbot.addWidget(window)
    window.open()
    window.temperature.setValue(0)
    window.tokens.setValue(4)
    yield window
    window.end()


def say(window: ChatWindow, text: str) -> None:
    QTest.keyClicks(window.input, text)
    QTest.keyClick(window.input, Qt.Key.Key_Return)


def copy(window: ChatWindow, text: str) -> Any:
    QGuiApplication.clipboard().setText("")
    next(action for action in window.copy.menu().actions() if action.text() == text).trigger()
    found = QGuiApplication.clipboard().text()
    return json.loads(found) if found else window.word.text()


def test_two_models_answer_and_their_replies_become_rows(chat: ChatWindow, qtbot: Any) -> None:
    assert chat.columns[0].location
    chat.columns[1].model.setCurrentText("dpo")
    chat.system.setText("be brief")
    say(chat, "what is 1")
    assert chat.send.text() == "Stop"
    assert chat.input.toPlainText() == ""
    qtbot.waitUntil(lambda: not chat.is_busy, timeout=LONG)
    left, right = (column.talk for column in chat.columns)
    assert [turn["role"] for turn in left] == ["system", "user", "assistant"]
    assert left == right, "the same weights, greedily"
    assert left[2]["content"] in chat.columns[0].said.toPlainText()
    assert copy(chat, "Left reply, for SFT") == {"messages": left}
    assert copy(chat, "Preference pair: right is chosen") == {
        "prompt": left[:2],
        "chosen": right[2:],
        "rejected": left[2:],
    }
    say(chat, "what is 2")
    qtbot.waitUntil(lambda: not chat.is_busy, timeout=LONG)
    assert [turn["role"] for turn in left] == ["system", "user", "assistant", "user", "assistant"]
    processes = [column.client.lines.process for column in chat.columns]
    chat.close()
    assert all(process.state() == process.ProcessState.NotRunning for process in processes), "their memory is free"


def test_stop_ends_a_reply(chat: ChatWindow, qtbot: Any) -> None:
    chat.tokens.setValue(8000)
    chat.temperature.setValue(1)
    chat.columns[0].model.setCurrentText("sft")
    say(chat, "what is 1")
    qtbot.waitUntil(lambda: chat.columns[0].said.toPlainText().count("\n") >= 4 or not chat.is_busy, timeout=LONG)
    chat.send.click()
    qtbot.waitUntil(lambda: not chat.is_busy, timeout=LONG)
    assert chat.send.text() == "Send"


def test_a_model_that_cannot_be_loaded_is_said_and_the_turn_taken_back(chat: ChatWindow, qtbot: Any) -> None:
    chat.columns[0].model.setEditText("/no/such/model")
    say(chat, "hello")
    qtbot.waitUntil(lambda: not chat.is_busy, timeout=LONG)
    assert "/no/such/model" in chat.columns[0].said.toPlainText()
    assert chat.columns[0].talk == []


def test_without_a_model_nothing_is_sent(chat: ChatWindow) -> None:
    for column in chat.columns:
        column.model.setCurrentIndex(0)
    say(chat, "hello")
    assert chat.word.text() == "Choose a model above."
    assert chat.input.toPlainText() == "hello"


def test_a_pair_needs_both_replies(chat: ChatWindow) -> None:
    chat.columns[0].talk[:] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert copy(chat, "Preference pair: left is chosen") == "A pair needs a reply of both models."
    chat.columns[1].talk[:] = [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]
    assert copy(chat, "Preference pair: left is chosen").startswith("The models have been told different things")
