"""A process that speaks for one model, as the editor sees it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from ryven_llm_nodes.gui.preview.client import LAST_LINES, ONE_THREAD
from ryven_llm_nodes.run.chat.serving import COMMAND


class ChatClient(QObject):
    """Starts the process of ``model`` with the first request, and ends it with :meth:`stop`.

    It runs with one thread, next to a training.
    """

    ready = Signal(bool)
    """The model has been loaded; whether it has a chat template."""
    piece = Signal(str)
    """The next piece of the reply."""
    replied = Signal(object)
    """The end of a reply, as a mapping with the fields of ``Reply``."""
    failed = Signal(str)
    """The reply failed, or the model could not be loaded."""

    def __init__(self, model: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._process: QProcess | None = None
        self._numbers, self._asked = count(1), 0
        self._text = self._errors = ""

    @property
    def is_busy(self) -> bool:
        """Whether a reply is awaited."""
        return bool(self._asked)

    def ask(self, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> None:
        """Asks for a reply to ``messages``."""
        self._asked = next(self._numbers)
        self._send({"number": self._asked, "messages": list(messages), "sampling": dict(sampling)})

    def interrupt(self) -> None:
        """Ends the reply; what has been generated stays."""
        if self._asked and self._process is not None:
            self._send({"stop": True})

    def _send(self, message: Mapping[str, Any]) -> None:
        self._running().write(json.dumps(message).encode() + b"\n")

    def _running(self) -> QProcess:
        if self._process is None:
            self._process, self._text, self._errors = QProcess(self), "", ""
            surroundings = QProcessEnvironment.systemEnvironment()
            for name in ONE_THREAD:
                surroundings.insert(name, "1")
            self._process.setProcessEnvironment(surroundings)
            self._process.readyReadStandardOutput.connect(self._read)
            self._process.readyReadStandardError.connect(self._read_errors)
            self._process.finished.connect(self._ended)
            self._process.start(sys.executable, [*COMMAND, self.model])
        return self._process

    def _read(self) -> None:
        self._text += bytes(self._process.readAllStandardOutput().data()).decode()
        while "\n" in self._text:
            line, _, self._text = self._text.partition("\n")
            self._take(json.loads(line))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "ready" in message:
            self.ready.emit(message["ready"]["converses"])
        elif "number" not in message:
            self._fail(message["error"])
        elif message["number"] != self._asked:
            return  # of a reply that is not awaited any more
        elif "piece" in message:
            self.piece.emit(message["piece"])
        elif "reply" in message:
            self._asked = 0
            self.replied.emit(message["reply"])
        else:
            self._fail(message["error"])

    def _fail(self, text: str) -> None:
        self._asked = 0
        self.failed.emit(text)

    def _read_errors(self) -> None:
        text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        self._errors = (self._errors + text)[-LAST_LINES:]

    def _ended(self, *_: object) -> None:
        """A process that ends while it is asked (out of memory, a crash in a library) is told."""
        self._process = None
        if self._asked:
            lines = self._errors.strip().splitlines()
            self._fail(f"The process of the model has ended{f': {lines[-1]}' if lines else '.'}")

    def stop(self) -> None:
        """Ends the process, and gives its memory back."""
        self._asked = 0
        if self._process is not None:
            process, self._process = self._process, None
            process.finished.disconnect(self._ended)
            process.kill()
            process.waitForFinished(2000)
