"""The process that loads rows and tokenizers for the preview, as the editor sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import QObject
from qtpy.shiboken import isValid

from ryven_llm_nodes.gui.concurrency.line_process import LineProcess
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.run.examine.questions import COMMAND

Then = Callable[[Mapping[str, Any]], Any]


class PreviewClient(QObject):
    """Asks one question at a time; of those that wait, only the newest of each owner is asked.

    The process starts with the first question, runs with one thread next to a training, and ends with the editor.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines = LineProcess(COMMAND, weakly(self._deliver), weakly(self._lost), self)
        self._waiting: dict[QObject, tuple[Mapping[str, Any], Then]] = {}
        self._asked: tuple[QObject, Then] | None = None

    def ask(self, asked: Mapping[str, Any], owner: QObject, then: Then) -> None:
        """Calls ``then`` with the answer, if ``owner`` still exists; replaces a question of his that is waiting.

        Where it takes long, ``then`` is called with what is there of it before (``partial``).
        """
        self._waiting[owner] = asked, then
        self._next()

    def _next(self) -> None:
        if self._asked is not None or not self._waiting:
            return
        owner = next(iter(self._waiting))
        asked, then = self._waiting.pop(owner)
        self._asked = owner, then
        self._lines.send(asked)

    def _deliver(self, answer: Mapping[str, Any]) -> None:
        if self._asked is not None:
            owner, then = self._asked
            if "partial" not in answer:
                self._asked = None
            if isValid(owner):
                then(answer)
        self._next()

    def _lost(self, why: str) -> None:
        if self._asked is not None:
            self._deliver({"problems": [f"The process that loads the rows has ended{why}"]})

    def stop(self) -> None:
        """Ends the process."""
        self._waiting, self._asked = {}, None
        self._lines.stop()
