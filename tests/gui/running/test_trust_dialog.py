"""The first run of code that came with a flow asks, and shows it; what was typed in the editor needs no question."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, REWARD, Project, draw, node, save
from qtpy.QtCore import QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

from ryven_llm_nodes.catalogue import LoadModel, RewardFunction, SaveModel
from ryven_llm_nodes.gui.running.run_controller import NOT_ALLOWED
from ryven_llm_nodes.gui.running.trust_dialog import TrustDialog, ask_to_run
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.run.trust.foreign import Foreign
from ryven_llm_nodes.run.trust.seen import STORE


class Asked:
    """Answers the question, and writes down what was asked."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.items: list[Foreign] = []

    def __call__(self, items: Sequence[Foreign]) -> bool:
        self.items += items
        return self.answer


@pytest.fixture
def marker(work: Path) -> Path:
    """A file that the code of the flow makes when it is run."""
    return work / "ran"


@pytest.fixture
def drawn(marker: Path) -> Project:
    """A flow with code, and nothing to train."""
    return draw(base=BASE, score=node(RewardFunction, code=f"open({str(marker)!r}, 'w').close()\n{REWARD}"))


@pytest.fixture
def open_flow(
    open_editor: Callable[..., Any], work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Project], Any]:
    """Opens a flow that somebody else has made, as a user who has seen nothing."""
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))

    def open_drawn(drawn: Project) -> Any:
        monkeypatch.chdir(work)
        return open_editor(drawn, save(drawn, work / "flow.json"), trusted=False)

    return open_drawn


def test_cancel_runs_nothing(open_flow: Callable[..., Any], drawn: Project, marker: Path, tmp_path: Path) -> None:
    editor = open_flow(drawn)
    asked = editor.shell.runs.ask = Asked(False)
    lines = editor.log()
    assert not editor.shell.commands.run()
    assert [(item.step, item.parameter) for item in asked.items] == [("score", "code")]
    assert lines == [NOT_ALLOWED]
    assert not editor.shell.runs.running
    assert editor.state.state(editor.node("score")) == "ready"
    assert not marker.exists()
    assert not (tmp_path / "state" / STORE).exists()


def test_run_remembers(open_flow: Callable[..., Any], drawn: Project, marker: Path) -> None:
    editor = open_flow(drawn)
    asked = editor.shell.runs.ask = Asked(True)
    assert editor.run().status == "done"
    assert marker.exists()
    assert editor.run().status == "done"
    assert len(asked.items) == 1
    again = open_flow(drawn)
    again.shell.runs.ask = Asked(False)
    assert again.run().status == "done"


def test_opening_checking_and_generating_ask_nothing(
    open_flow: Callable[..., Any], drawn: Project, marker: Path
) -> None:
    editor = open_flow(drawn)
    asked = editor.shell.runs.ask = Asked(False)
    editor.select(editor.node("score"))
    editor.shell.commands.check()
    editor.shell.commands.generate()
    editor.qtbot.waitUntil(lambda: editor.shell.commands.code_window is not None)
    assert "no problem" in editor.shell.toolbar.status.text()
    assert asked.items == []
    assert not marker.exists()


def test_what_was_typed_here_needs_no_question(open_flow: Callable[..., Any], drawn: Project) -> None:
    editor = open_flow(drawn)
    asked = editor.shell.runs.ask = Asked(False)
    set_value(editor.node("score"), "code", f"{REWARD}# mine")
    assert editor.run().status == "done"
    editor.place(RewardFunction, "second", code=f"{REWARD}# mine, too")
    assert editor.run().status == "done"
    assert asked.items == []


def test_undoing_an_edit_brings_the_question_back(open_flow: Callable[..., Any], drawn: Project) -> None:
    editor = open_flow(drawn)
    asked = editor.shell.runs.ask = Asked(False)
    set_value(editor.node("score"), "code", REWARD)
    editor.view._undo_stack.undo()
    assert not editor.shell.commands.run()
    assert len(asked.items) == 1


def test_another_edit_of_the_node_is_no_answer(open_flow: Callable[..., Any]) -> None:
    """A switch that came with the flow stays theirs, whatever model the user then chooses."""
    editor = open_flow(draw(base=node(LoadModel, path="./other", trust_remote_code=True)))
    asked = editor.shell.runs.ask = Asked(False)
    set_value(editor.node("base"), "path", "./model")
    assert not editor.shell.commands.run()
    assert [item.parameter for item in asked.items] == ["trust_remote_code"]


def test_pasted_nodes_are_somebody_elses(open_flow: Callable[..., Any], drawn: Project) -> None:
    editor = open_flow(drawn)
    editor.select(editor.node("score"))
    editor.view._copy()
    copied = json.loads(QGuiApplication.clipboard().text())
    copied["nodes"][0]["additional data"] = {"name": "pasted", "params": {"code": f"{REWARD}# theirs"}}
    QGuiApplication.clipboard().setText(json.dumps(copied))
    editor.view._paste()
    set_value(editor.node("score"), "code", REWARD)
    asked = editor.shell.runs.ask = Asked(False)
    assert not editor.shell.commands.run()
    assert [item.step for item in asked.items] == ["pasted"]


def test_a_place_to_write_to_is_asked_about(open_flow: Callable[..., Any], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    editor = open_flow(draw("base -> final", base=BASE, final=node(SaveModel, folder=str(outside))))
    asked = editor.shell.runs.ask = Asked(False)
    assert not editor.shell.commands.run()
    assert [item.parameter for item in asked.items] == ["folder"]
    assert not outside.exists()


def test_only_what_is_run_is_asked_about(open_flow: Callable[..., Any], drawn: Project) -> None:
    editor = open_flow(drawn)
    asked = editor.shell.runs.ask = Asked(False)
    assert editor.run(to=editor.node("base")).status == "done"
    assert asked.items == []


class TestDialog:
    ITEMS = [
        Foreign("score", "Reward Function 'score'", "code", "runs Python code of its own", REWARD, "python"),
        Foreign("final", "Save Model 'final'", "folder", "writes to '~/x', outside", "~/x"),
    ]

    def test_shows_everything(self, qtbot: Any) -> None:
        dialog = TrustDialog(self.ITEMS)
        qtbot.addWidget(dialog)
        assert "Reward Function 'score', Save Model 'final'" in dialog.label.text()
        assert dialog.view.isReadOnly()
        text = dialog.view.toPlainText()
        for wanted in (
            REWARD,
            "# Reward Function 'score' > code: runs Python",
            "# Save Model 'final' > folder: writes",
        ):
            assert wanted in text
        assert dialog.cancel_button.isDefault()
        assert not dialog.run_button.isDefault()

    @pytest.mark.parametrize(
        ("key", "answer"), [("run", True), ("cancel", False), ("return", False), ("escape", False)]
    )
    def test_waits_for_an_answer(self, key: str, answer: bool, qtbot: Any) -> None:
        from qtpy.QtCore import Qt

        def press() -> None:
            dialog = QApplication.activeModalWidget()
            assert isinstance(dialog, TrustDialog)
            if key in ("run", "cancel"):
                (dialog.run_button if key == "run" else dialog.cancel_button).click()
            else:
                qtbot.keyClick(dialog, Qt.Key.Key_Return if key == "return" else Qt.Key.Key_Escape)

        QTimer.singleShot(200, press)
        assert ask_to_run(self.ITEMS) is answer

    def test_the_editor_asks_with_it(self, open_flow: Callable[..., Any], drawn: Project, marker: Path) -> None:
        editor = open_flow(drawn)
        seen: list[str] = []

        def press() -> None:
            dialog = QApplication.activeModalWidget()
            seen.append(dialog.view.toPlainText())
            dialog.run_button.click()

        QTimer.singleShot(300, press)
        assert editor.run().status == "done"
        assert str(marker) in seen[0]
        assert marker.exists()
