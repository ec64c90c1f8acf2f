"""A Python process of this package that speaks in lines of JSON, as the editor sees it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment

SURROUNDINGS: Final = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1"),
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
"""One thread, next to a training; and nothing that the libraries say is shown."""
LAST_LINES: Final = 2000
"""Characters of the error output that are kept."""


class LineProcess(QObject):
    """Starts with the first message that is sent, and again after it has ended.

    ``take`` is called with each message that comes, ``lost`` with the reason, as the end of a sentence, when the
    process ends by itself (out of memory, a crash in a library).
    """

    def __init__(
        self,
        command: Sequence[str],
        take: Callable[[Mapping[str, Any]], object],
        lost: Callable[[str], object],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.command, self._take, self._lost = command, take, lost
        self.process: QProcess | None = None
        self._text = self._errors = ""

    @property
    def is_running(self) -> bool:
        """Whether it has been started, and has not ended."""
        return self.process is not None

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message."""
        self._running().write(json.dumps(message).encode() + b"\n")

    def _running(self) -> QProcess:
        if self.process is None:
            self.process, self._text, self._errors = QProcess(self), "", ""
            surroundings = QProcessEnvironment.systemEnvironment()
            for name, value in SURROUNDINGS.items():
                surroundings.insert(name, value)
            self.process.setProcessEnvironment(surroundings)
            self.process.readyReadStandardOutput.connect(self._read)
            self.process.readyReadStandardError.connect(self._read_errors)
            self.process.finished.connect(self._ended)
            self.process.errorOccurred.connect(self._failed)
            self.process.start(sys.executable, list(self.command))
        return self.process

    def _read(self) -> None:
        self._text += bytes(self.process.readAllStandardOutput().data()).decode()
        while "\n" in self._text:
            line, _, self._text = self._text.partition("\n")
            self._take(json.loads(line))

    def _read_errors(self) -> None:
        text = bytes(self.process.readAllStandardError().data()).decode(errors="replace")
        self._errors = (self._errors + text)[-LAST_LINES:]

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._ended()

    def _ended(self, *_: object) -> None:
        self.process = None
        lines = self._errors.strip().splitlines()
        self._lost(f": {lines[-1]}" if lines else ".")

    def stop(self) -> None:
        """Ends the process, and gives its memory back."""
        if self.process is not None:
            process, self.process = self.process, None
            for signal, slot in (
                (process.finished, self._ended),
                (process.readyReadStandardOutput, self._read),  # what it has written is wanted no longer
                (process.readyReadStandardError, self._read_errors),
            ):
                signal.disconnect(slot)
            process.kill()
            process.waitForFinished(2000)
