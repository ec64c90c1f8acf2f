"""A process that speaks for one model, as the editor sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from qtpy.QtCore import QObject, Signal

from ryven_llm_nodes.gui.concurrency.line_process import LineProcess
from ryven_llm_nodes.run.chat.replies import Reply
from ryven_llm_nodes.run.chat.serving import COMMAND


class ChatClient(QObject):
    """The process of ``model``, which starts with the first request, and ends with :meth:`stop`."""

    ready = Signal(bool)
    """The model has been loaded; whether it has a chat template."""
    piece = Signal(str)
    """The next piece of the reply."""
    replied = Signal(object)
    """The end of a reply, a ``Reply``."""
    failed = Signal(str)
    """The reply failed, or the model could not be loaded."""

    def __init__(self, model: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.lines = LineProcess([*COMMAND, model], self._take, self._lost, self)
        self._numbers, self._asked = count(1), 0

    @property
    def is_busy(self) -> bool:
        """Whether a reply is awaited."""
        return bool(self._asked)

    def ask(self, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> None:
        """Asks for a reply to ``messages``."""
        self._asked = next(self._numbers)
        self.lines.send({"number": self._asked, "messages": list(messages), "sampling": dict(sampling)})

    def interrupt(self) -> None:
        """Ends the reply; what has been generated stays."""
        if self._asked and self.lines.is_running:
            self.lines.send({"stop": True})

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
            self.replied.emit(Reply(**message["reply"]))
        else:
            self._fail(message["error"])

    def _fail(self, text: str) -> None:
        self._asked = 0
        self.failed.emit(text)

    def _lost(self, why: str) -> None:
        if self._asked:
            self._fail(f"The process of the model has ended{why}")

    def stop(self) -> None:
        """Ends the process, and gives its memory back."""
        self._asked = 0
        self.lines.stop()
