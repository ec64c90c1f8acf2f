"""Closing the window while a run is active: it asks, and nothing that was trained is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from ryven_llm_nodes.catalogue import SFT
from ryven_llm_nodes.gui.running import leaving
from ryven_llm_nodes.run.store.kept import checkpoints_in, step_of

LONG = {"max_steps": 4000, "save_strategy": "steps", "save_steps": 4000}


class ByUser(QCloseEvent):
    """A click on the cross of the window, which Qt cannot be made to send."""

    def spontaneous(self) -> bool:
        return True


@pytest.fixture
def training(open_editor: Callable[..., Any], work: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An editor in which SFT has done some steps, and writes no checkpoint for long."""
    monkeypatch.chdir(work)
    drawn = flows.alone("sft", **LONG)
    editor = open_editor(drawn, flows.save(drawn, work / "flow.json"))
    assert editor.shell.commands.run()
    editor.wait_for_step("sft", 3)
    return editor


@pytest.fixture
def questions(qapp: Any) -> Iterator[tuple[list[str], list[str]]]:
    """Buttons to be clicked, one a question, and what was asked."""
    buttons: list[str] = []
    texts: list[str] = []

    def look() -> None:
        box = qapp.activeModalWidget()
        if isinstance(box, QMessageBox) and buttons:
            texts.append(f"{box.text()}\n{box.informativeText()}")
            by_name = {button.text().replace("&", ""): button for button in box.buttons()}
            QTest.mouseClick(by_name[buttons.pop(0)], Qt.MouseButton.LeftButton)

    clock = QTimer(interval=20)
    clock.timeout.connect(look)
    clock.start()
    yield buttons, texts
    clock.stop()
    assert not buttons, "a question was not asked"


def close(editor: Any) -> bool:
    """A click on the cross; whether the window stays."""
    return bool(editor.shell.eventFilter(editor.window, ByUser()))


def saved(work: Path) -> list[int]:
    return sorted(map(step_of, checkpoints_in(work / "outputs/sft/sft")))


def test_stop_saves_a_checkpoint_and_then_closes(training: Any, questions: Any, work: Path) -> None:
    buttons, texts = questions
    buttons.append(leaving.STOP)
    said = training.log()
    with training.qtbot.waitSignal(training.shell.runs.finished, timeout=60_000) as ended:
        assert close(training)
        assert training.window.isVisible(), "it waits for the checkpoint"
    assert ended.args[1].status == "cancelled"
    assert texts[0].startswith("SFT 'sft' is at step ")
    assert " of 4000." in texts[0]
    assert "this step is finished and saved, and the next run resumes there" in texts[0]
    (step,) = saved(work)
    assert f"sft: stopped at step {step} of 4000, with a checkpoint; the next run resumes there" in said
    assert not training.window.isVisible()


def test_cancel_keeps_window_and_run(training: Any, questions: Any) -> None:
    questions[0].append(leaving.CANCEL)
    assert close(training)
    assert training.window.isVisible()
    before = training.state.model.stages["sft"].done
    training.wait_for_step("sft", before + 2)
    assert not training.shell.runs.stopping
    training.node("sft").params["save_strategy"] = "no"
    questions[0].append(leaving.CANCEL)
    assert close(training)
    assert "its save_strategy is 'no', so the next run trains it from the beginning" in questions[1][-1]


def test_quit_in_the_menu_asks_too_and_before_anything_else(
    training: Any, questions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsaved changes are asked about before the run is touched."""
    monkeypatch.setattr(QMessageBox, "question", lambda *a: QMessageBox.StandardButton.Cancel)
    training.place(SFT)
    questions[0].append(leaving.STOP)
    training.shell.actions["quit"].trigger()
    assert training.window.isVisible()
    assert not training.shell.runs.stopping


def test_keep_training_hides_the_window_until_the_run_has_ended(
    training: Any, questions: Any, monkeypatch: pytest.MonkeyPatch, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signal, as of Ctrl-C or kill, stops it with a checkpoint."""
    ends: list[bool] = []
    monkeypatch.setattr(QApplication, "quit", lambda *_: ends.append(True))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    questions[0].append(leaving.KEEP)
    try:
        assert close(training)
        assert not training.window.isVisible()
        assert "training goes on without a window" in capsys.readouterr().err
        training.wait_for_step("sft", training.state.model.stages["sft"].done + 2)
        assert not ends
        with training.qtbot.waitSignal(training.shell.runs.finished, timeout=60_000):
            signal.raise_signal(signal.SIGTERM)
        training.qtbot.waitUntil(lambda: ends == [True])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        QApplication.instance().setQuitOnLastWindowClosed(True)
    assert len(saved(work)) == 1


def test_a_hidden_window_comes_back_and_stays(training: Any, questions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QApplication, "quit", lambda *_: pytest.fail("it was shown again"))
    before = signal.getsignal(signal.SIGTERM)
    questions[0].append(leaving.KEEP)
    assert close(training)
    assert training.shell.opening.open_path(training.shell.document.path)
    assert training.window.isVisible()
    assert signal.getsignal(signal.SIGTERM) is before
    with training.qtbot.waitSignal(training.shell.runs.finished, timeout=60_000):
        training.shell.commands.stop()
    training.settle(50)
    assert training.window.isVisible()


def test_nothing_is_asked_where_nothing_runs(editor: Any, questions: Any) -> None:
    assert not close(editor)
    assert questions[1] == []
