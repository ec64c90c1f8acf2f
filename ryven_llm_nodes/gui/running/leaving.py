"""What becomes of a run whose window is closed: the user is asked, and the window waits for what was chosen."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state.document import Document

STOP, END, KEEP, CANCEL = "Stop and Save a Checkpoint", "Stop", "Keep Training", "Cancel"
NOW, WAIT = "End Now", "Wait"
LISTEN_MS: Final = 500
"""Python answers a signal only while it runs, which it may not for a while in a process without a window."""
ENDING: Final = "The run is being stopped: its step is finished, and a checkpoint saved. The window closes after that."
ENDING_NOW: Final = "End now, and the next run resumes from the checkpoint before."


class Leaving(QObject):
    """Asks before the window of ``document`` is closed while ``runs`` has a run, and closes it once that has ended."""

    def __init__(self, document: Document, runs: RunController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._window, self._runs = document, document.window, runs
        self._wish = ""
        self.is_due = False
        """Whether the window is closed as soon as the run has ended."""
        self._handlers: dict[signal.Signals, Any] = {}
        self._clock = QTimer(self, interval=LISTEN_MS)
        self._clock.timeout.connect(lambda: None)
        runs.finished.connect(self._finished)

    def ask(self) -> bool:
        """Asks what becomes of the run, if there is one. False if the window stays."""
        self._wish = ""
        if self._runs.stopping:
            self._wish = ask(self._window, ENDING, ENDING_NOW, (NOW, WAIT))
        elif self._runs.running:
            self._wish = ask(self._window, *self._question())
        return self._wish != CANCEL

    def _question(self) -> tuple[str, str, tuple[str, ...]]:
        """How far the run is, what the answers mean, and the answers."""
        state, step = self._runs.state, self._runs.training
        stage, node = (state.model.stages[step], state.node_of(step)) if state and step else (None, None)
        back = "opening the flow again brings it back" if self._document.path else f"`kill {os.getpid()}` stops it"
        keep = f"{KEEP}: the window is hidden until the run has ended; {back}."
        if stage is None or node is None:
            return "The flow is running.", f"{END}: finished stages stay cached.\n{keep}", (END, KEEP, CANCEL)
        where = f"{node.title} {step!r} is at step {stage.done} of {stage.total}."
        if node.params.get("save_strategy") == "no":
            lost = f"{END}: its save_strategy is 'no', so the next run trains it from the beginning."
            return where, f"{lost}\n{keep}", (END, KEEP, CANCEL)
        return (
            where,
            f"Stop: this step is finished and saved, and the next run resumes there.\n{keep}",
            (STOP, KEEP, CANCEL),
        )

    def go(self) -> bool:
        """Does what was chosen; whether the window can be closed at once."""
        if not self._runs.running:
            return True
        self.is_due = True
        if self._wish == KEEP:
            self._hide()
        elif self._wish != WAIT:
            self._runs.stop(now=self._wish == NOW)
        return False

    def come_back(self) -> None:
        """The window is shown again, and stays when the run has ended."""
        if self._clock.isActive():
            self._clock.stop()
            self.is_due = False
            QApplication.instance().setQuitOnLastWindowClosed(True)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def _hide(self) -> None:
        """Training goes on in this process, which a signal (Ctrl-C, kill) asks to stop, with a checkpoint."""
        app = QApplication.instance()
        app.setQuitOnLastWindowClosed(False)
        for window in app.topLevelWidgets():
            window.hide()
        self._handlers = {
            number: signal.signal(number, lambda *_: self._runs.stop()) for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._clock.start()
        print(f"training goes on without a window; `kill {os.getpid()}` stops it, with a checkpoint", file=sys.stderr)

    def _finished(self, *_: object) -> None:
        if self.is_due:
            hidden = not self._window.isVisible()
            self._window.close()
            if hidden:
                QApplication.quit()


def ask(window: QWidget, text: str, meaning: str, answers: tuple[str, ...]) -> str:
    """One of ``answers``; the last one for Escape, and the default."""
    box = QMessageBox(QMessageBox.Icon.Question, "A run is active", text, parent=window)
    box.setInformativeText(meaning)
    roles = QMessageBox.ButtonRole
    made = {answer: box.addButton(answer, roles.AcceptRole) for answer in answers[:-1]}
    made[answers[-1]] = box.addButton(answers[-1], roles.RejectRole)
    box.setDefaultButton(made[answers[-1]])
    box.setEscapeButton(made[answers[-1]])
    box.exec()
    return next((answer for answer, button in made.items() if button is box.clickedButton()), answers[-1])
