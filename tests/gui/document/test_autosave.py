"""What the editor keeps for a crash, and what it asks before it closes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.host import recovery
from ryven_llm_nodes.program.flow import read_project


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of this user's recovery files, which is empty."""
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "recovery"


def files(folder: Path) -> list[Path]:
    """What is kept at this moment."""
    return sorted(folder.glob("*")) if folder.exists() else []


def flow_of(path: Path) -> Any:
    """The nodes of the one flow at ``path``, with their wires."""
    (data,) = read_project(path)["flows"].values()
    return [node["additional data"] for node in data["nodes"]], data["connections"]


# Keeping


def test_changes_are_kept_until_they_are_saved(editor: Any, kept: Path, tmp_path: Path) -> None:
    editor.shell.autosave.keep()
    assert files(kept) == []
    editor.place(SFT, "mine", seed=7)
    assert editor.shell.autosave.keep_now()
    (file,) = files(kept)
    assert flow_of(file)[0] == [{"name": "mine", "params": {"seed": 7}}]
    assert editor.shell.saving.save_to(tmp_path / "flow.json")
    assert files(kept) == []
    editor.place(LoadModel)
    assert editor.shell.autosave.keep_now()
    assert len(flow_of(file)[0]) == 2
    assert len(flow_of(tmp_path / "flow.json")[0]) == 1


def test_the_clock_keeps_them(editor: Any, kept: Path) -> None:
    assert editor.shell.autosave.timer.interval() == 20_000
    assert editor.shell.autosave.timer.isActive()
    editor.shell.autosave.timer.setInterval(20)
    editor.place(SFT)
    editor.qtbot.waitUntil(lambda: files(kept) != [])


def test_what_is_kept_already_is_not_written_again(editor: Any, kept: Path) -> None:
    node = editor.place(SFT)
    assert editor.shell.autosave.keep_now()
    (file,) = files(kept)
    first = file.stat().st_ino
    os.utime(file, (1, 1))
    assert editor.shell.autosave.keep_now()
    assert file.stat().st_ino == first
    assert file.stat().st_mtime > 1  # but its editor is alive
    set_value(node, "seed", 5)
    assert editor.shell.autosave.keep_now()
    assert file.stat().st_ino != first


def test_undo_back_to_what_was_saved_leaves_nothing(editor: Any, kept: Path) -> None:
    editor.place(SFT)
    assert editor.shell.autosave.keep_now()
    editor.view._undo_stack.undo()
    assert not editor.shell.document.modified
    assert files(kept) == []
    editor.view._undo_stack.redo()
    assert editor.shell.autosave.keep_now()
    assert len(files(kept)) == 1


def test_they_are_kept_before_a_run(editor: Any, kept: Path) -> None:
    editor.place(SFT)
    editor.run()
    editor.qtbot.waitUntil(lambda: files(kept) != [])


def test_what_has_no_undo_is_a_change_too(editor: Any, tmp_path: Path) -> None:
    session = editor.window.core_session
    for change in (
        lambda: session.create_flow("another"),
        lambda: session.rename_flow(session.flows[-1], "third"),
        lambda: session.delete_flow(session.flows[-1]),
    ):
        assert not editor.shell.document.modified
        change()
        editor.settle(50)
        assert editor.shell.document.modified
        assert editor.window.isWindowModified()
        assert editor.shell.saving.save_to(tmp_path / "flow.json")


def test_a_node_that_cannot_be_kept_is_told_once(editor: Any, monkeypatch: pytest.MonkeyPatch, kept: Path) -> None:
    node, lines = editor.place(SFT), editor.log()
    monkeypatch.setattr(type(node), "additional_data", lambda self: {"params": object()})
    for _ in range(3):
        editor.shell.autosave.keep()
    assert [line for line in lines if "cannot be written" in line] == [
        "✗ the recovery file cannot be written: TypeError: Object of type object is not JSON serializable"
    ]
    assert files(kept) == []


def test_keeping_does_not_hold_the_window_up(open_editor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the disk is."""
    editor = open_editor(flows.chain(lora=True))
    editor.place(SFT)
    write = recovery.write_whole
    monkeypatch.setattr(recovery, "write_whole", lambda *a, **k: (time.sleep(2), write(*a, **k)))
    before = time.perf_counter()
    editor.shell.autosave.keep()
    assert time.perf_counter() - before < 1.5
    assert editor.shell.autosave.file.write()


# Closing


def answer(monkeypatch: pytest.MonkeyPatch, button: str) -> list[str]:
    """Answers the question whether to save; holds what was asked."""
    questions: list[str] = []

    def question(_: Any, title: str, *__: Any) -> Any:
        questions.append(title)
        return getattr(QMessageBox.StandardButton, button)

    monkeypatch.setattr(QMessageBox, "question", question)
    return questions


class ByUser(QCloseEvent):
    """A click on the cross of the window, which Qt cannot be made to send."""

    def spontaneous(self) -> bool:
        return True


@pytest.mark.parametrize("way", ["menu", "cross"])
@pytest.mark.parametrize("button", ["Discard", "Cancel", "Save"])
def test_closing_asks(
    way: str, button: str, editor: Any, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = answer(monkeypatch, button)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "new.json"), ""))
    editor.place(SFT)
    assert editor.shell.autosave.keep_now()
    if way == "menu":
        editor.shell.actions["quit"].trigger()
        assert editor.window.isVisible() == (button == "Cancel")
    else:
        event = ByUser()
        assert editor.shell.eventFilter(editor.window, event) == (button == "Cancel")
        assert event.isAccepted() == (button != "Cancel")
    assert questions == ["Save?"]
    assert len(files(kept)) == (button == "Cancel")
    assert (tmp_path / "new.json").exists() == (button == "Save")


def test_nothing_is_asked_where_nothing_was_changed(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = answer(monkeypatch, "Cancel")
    editor.shell.actions["quit"].trigger()
    assert questions == []
    assert not editor.window.isVisible()


def test_what_a_program_closes_is_kept(editor: Any, kept: Path) -> None:
    """Nobody was asked."""
    editor.place(SFT, "mine")
    editor.window.close()
    (file,) = files(kept)
    assert flow_of(file)[0][0]["name"] == "mine"


def test_the_application_stays_where_a_window_wants_to(tmp_path: Path) -> None:
    """``quit`` as the system's: in a process of its own, whose application is the editor's."""
    code = """
from pathlib import Path
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMessageBox
from ryven_llm_nodes.gui import editor
answers = [QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Discard]
QMessageBox.question = lambda *a: print("asked") or answers.pop(0)
app = editor.application()
shell = editor.start().llm_shell
def change():
    from ryven_llm_nodes.catalogue import SFT
    shell.palette.chosen.emit(SFT)
    app.quit()
    print("stays" if shell.window.isVisible() else "gone")
    app.quit()
QTimer.singleShot(100, change)
QTimer.singleShot(20_000, lambda: app.exit(3))
print(app.exec(), shell.window.isVisible(), answers)
"""
    environment = {**os.environ, "RYVEN_LLM_STATE": str(tmp_path / "own"), "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path
    )
    assert done.stdout.split("\n")[:4] == ["asked", "stays", "asked", "0 False []"], done.stdout + done.stderr
    assert files(tmp_path / "own" / "recovery") == []
