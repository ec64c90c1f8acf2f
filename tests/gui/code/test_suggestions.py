"""Names and signatures that are suggested while one types."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QToolTip

from ryven_llm_nodes.gui.code import suggestions
from ryven_llm_nodes.gui.code.suggestions import ENDS, Assistant
from ryven_llm_nodes.gui.code.view import CodeView


class Scripted(QObject):
    """An assistant that answers when it is told to."""

    answered = Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[Any, ...]] = []

    def ask(self, *question: Any) -> int:
        self.questions.append(question)
        return len(self.questions)

    def say(self, *names: str, signature: str = "", number: int = 0) -> None:
        number = number or len(self.questions)
        self.answered.emit({"id": number, "names": list(names), "signature": signature})


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, qapp: Any) -> Scripted:
    made = Scripted()
    monkeypatch.setattr(suggestions, "_assistant", made)
    return made


@pytest.fixture
def view(scripted: Scripted, qtbot: Any, tmp_path: Path) -> CodeView:
    view = CodeView("", read_only=False, root=lambda: tmp_path)
    qtbot.addWidget(view)
    view.show()
    view.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    return view


def popup(view: CodeView) -> Any:
    return view.suggestions.completer.popup()


def shown(view: CodeView) -> list[str]:
    model = view.suggestions.completer.completionModel()
    return [model.index(row, 0).data() for row in range(model.rowCount())] if popup(view).isVisible() else []


def typed(view: CodeView, text: str, scripted: Scripted, qtbot: Any) -> None:
    """Types, and waits for the question."""
    before = len(scripted.questions)
    qtbot.keyClicks(view, text)
    qtbot.waitUntil(lambda: len(scripted.questions) > before)


def test_the_question_is_about_the_cursor(view: CodeView, scripted: Scripted, qtbot: Any, tmp_path: Path) -> None:
    view.set_text("import re\n\n")
    view.moveCursor(view.textCursor().MoveOperation.End)
    typed(view, "re.", scripted, qtbot)
    assert scripted.questions == [("import re\n\nre.", 3, 3, str(tmp_path))]


def test_a_name_is_chosen_and_completed(view: CodeView, scripted: Scripted, qtbot: Any) -> None:
    typed(view, "x = re.co", scripted, qtbot)
    scripted.say("compile", "copyreg")
    assert shown(view) == ["compile", "copyreg"]
    qtbot.keyClick(popup(view), Qt.Key.Key_Down)
    qtbot.keyClick(popup(view), Qt.Key.Key_Return)
    assert view.text() == "x = re.copyreg"
    assert not popup(view).isVisible()


@pytest.mark.parametrize(("key", "text"), [(Qt.Key.Key_Tab, "compile"), (Qt.Key.Key_Escape, "com")])
def test_tab_takes_the_first_and_escape_none(
    key: Qt.Key, text: str, view: CodeView, scripted: Scripted, qtbot: Any
) -> None:
    typed(view, "com", scripted, qtbot)
    scripted.say("compile", "complex")
    qtbot.keyClick(popup(view), key)
    assert (view.text(), popup(view).isVisible()) == (text, False)


def test_typing_on_narrows_the_names(view: CodeView, scripted: Scripted, qtbot: Any) -> None:
    typed(view, "com", scripted, qtbot)
    scripted.say("compile", "complex")
    qtbot.keyClicks(popup(view), "pl")
    assert (view.text(), shown(view)) == ("compl", ["complex"])
    qtbot.keyClicks(popup(view), " ")
    assert shown(view) == []


def test_an_answer_that_comes_too_late_is_dropped(view: CodeView, scripted: Scripted, qtbot: Any) -> None:
    typed(view, "com", scripted, qtbot)
    view.moveCursor(view.textCursor().MoveOperation.Start)
    scripted.say("compile")
    assert shown(view) == []
    typed(view, "a", scripted, qtbot)
    scripted.say("acom", number=1)
    assert shown(view) == []


def test_private_names_only_where_they_are_asked_for(view: CodeView, scripted: Scripted, qtbot: Any) -> None:
    typed(view, "x.", scripted, qtbot)
    scripted.say("_hidden", "plain")
    assert shown(view) == ["plain"]
    qtbot.keyClick(popup(view), Qt.Key.Key_Escape)
    typed(view, "_", scripted, qtbot)
    scripted.say("_hidden")
    assert shown(view) == ["_hidden"]


def test_how_a_function_is_called_is_told(view: CodeView, scripted: Scripted, qtbot: Any) -> None:
    typed(view, "shaped(", scripted, qtbot)
    scripted.say(signature="shaped(text, weight=1.0)")
    assert QToolTip.text() == "shaped(text, weight=1.0)"
    assert QToolTip.isVisible()


def test_ctrl_space_asks_and_a_value_that_is_set_does_not(view: CodeView, scripted: Scripted, qtbot: Any) -> None:
    view.set_text("x = 1")
    qtbot.wait(200)
    assert scripted.questions == []
    qtbot.keyClick(view, Qt.Key.Key_Space, Qt.KeyboardModifier.ControlModifier)
    assert len(scripted.questions) == 1
    assert view.text() == "x = 1"


# The process


@pytest.fixture
def assistant(qtbot: Any) -> Iterator[Assistant]:
    made = Assistant()
    yield made
    made.close()


def answers(assistant: Assistant) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    assistant.answered.connect(told.append)
    return told


def test_of_many_questions_the_first_and_the_newest_are_answered(
    assistant: Assistant, qtbot: Any, tmp_path: Path
) -> None:
    told = answers(assistant)
    for code in ("impo", "whi", "retu", "len"):
        assistant.ask(code, 1, len(code), str(tmp_path))
    qtbot.waitUntil(lambda: len(told) == 2)
    qtbot.wait(100)
    assert [(answer["id"], answer["names"][0]) for answer in told] == [(1, "import"), (4, "len")]


def test_one_that_was_killed_is_started_again_but_not_for_ever(
    assistant: Assistant, qtbot: Any, tmp_path: Path
) -> None:
    told = answers(assistant)
    for attempt in range(ENDS):
        assistant.ask("impo", 1, 4, str(tmp_path))
        qtbot.waitUntil(lambda attempt=attempt: len(told) > attempt)
        with qtbot.waitSignal(assistant._process.finished):
            os.kill(assistant._process.processId(), 9)
    assistant.ask("impo", 1, 4, str(tmp_path))
    qtbot.wait(300)
    assert len(told) == ENDS
    assert assistant._process.state() == assistant._process.ProcessState.NotRunning


def test_nothing_is_left_of_it(assistant: Assistant, qtbot: Any, tmp_path: Path) -> None:
    told = answers(assistant)
    assistant.ask("impo", 1, 4, str(tmp_path))
    qtbot.waitUntil(lambda: told != [])
    number = assistant._process.processId()
    assistant.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
