"""The process that loads rows and tokenizers for the preview, as the editor sees it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment
from qtpy.shiboken import isValid

from ryven_llm_nodes.run.examine.serving import COMMAND

Then = Callable[[Mapping[str, Any]], Any]
ONE_THREAD: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
LAST_LINES: Final = 2000


class PreviewClient(QObject):
    """Asks one question at a time; of those that wait, only the newest of each owner is asked.

    The process starts with the first question, runs with one thread next to a training, and ends with the editor.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._waiting: dict[QObject, tuple[Mapping[str, Any], Then]] = {}
        self._asked: tuple[QObject, Then] | None = None
        self._text = self._errors = ""

    def ask(self, asked: Mapping[str, Any], owner: QObject, then: Then) -> None:
        """Calls ``then`` with the answer, if ``owner`` still exists; replaces a question of his that is waiting."""
        self._waiting[owner] = asked, then
        self._next()

    def _next(self) -> None:
        if self._asked is not None or not self._waiting:
            return
        owner = next(iter(self._waiting))
        asked, then = self._waiting.pop(owner)
        self._asked = owner, then
        self._running().write(json.dumps(asked).encode() + b"\n")

    def _running(self) -> QProcess:
        if self._process is None:
            self._process, self._text, self._errors = QProcess(self), "", ""
            surroundings = QProcessEnvironment.systemEnvironment()
            for name in ONE_THREAD:
                surroundings.insert(name, "1")
            surroundings.insert("TRANSFORMERS_VERBOSITY", "error")
            surroundings.insert("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
            self._process.setProcessEnvironment(surroundings)
            self._process.readyReadStandardOutput.connect(self._read)
            self._process.readyReadStandardError.connect(self._read_errors)
            self._process.finished.connect(self._ended)
            self._process.errorOccurred.connect(self._failed)
            self._process.start(sys.executable, list(COMMAND))
        return self._process

    def _read(self) -> None:
        self._text += bytes(self._process.readAllStandardOutput().data()).decode()
        while "\n" in self._text:
            line, _, self._text = self._text.partition("\n")
            self._deliver(json.loads(line))

    def _read_errors(self) -> None:
        text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        self._errors = (self._errors + text)[-LAST_LINES:]

    def _deliver(self, answer: Mapping[str, Any]) -> None:
        if self._asked is not None:
            (owner, then), self._asked = self._asked, None
            if isValid(owner):
                then(answer)
        self._next()

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._ended()

    def _ended(self, *_: object) -> None:
        """A process that ends while it is asked (out of memory, a crash in a library) is told, and replaced."""
        self._process = None
        lines = self._errors.strip().splitlines()
        why = f": {lines[-1]}" if lines else "."
        if self._asked is not None:
            self._deliver({"problems": [f"The process that loads the rows has ended{why}"]})

    def stop(self) -> None:
        """Ends the process."""
        self._waiting, self._asked = {}, None
        if self._process is not None:
            process, self._process = self._process, None
            process.finished.disconnect(self._ended)
            process.kill()
            process.waitForFinished(2000)
