"""Runs the queue in a thread: one flow after the other, each in a process of its own."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, Qt, Signal

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.concurrency.garbage_collection import main_collector
from ryven_llm_nodes.run import CancelToken, Outcome
from ryven_llm_nodes.run.events import Event, Progress, StageStarted
from ryven_llm_nodes.run.queueing.queue import Queue, Queued
from ryven_llm_nodes.run.states import RunState

PATIENCE: Final = 10.0
"""Seconds in which a flow that is asked to stop can save its checkpoint before the window is gone."""


class QueueRunner(QObject):
    """Runs what waits in ``queue`` until nothing does, or it is stopped. All methods belong to the main thread."""

    changed = Signal()
    """An entry began or ended, or the queue was started or stopped."""
    went_on = Signal()
    """What is running has come further."""
    ended = Signal(object, str)
    """An entry has ended: the entry, and how."""
    _came = Signal(object)

    def __init__(self, queue: Queue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.queue = queue
        self.current: Queued | None = None
        """What is running."""
        self.doing = ""
        """What that is doing, in a few words."""
        self.error = ""
        """Why the queue itself could not go on."""
        self._cancel: CancelToken | None = None
        self._thread: threading.Thread | None = None
        self._came.connect(lambda call: call(), Qt.ConnectionType.QueuedConnection)

    @property
    def is_running(self) -> bool:
        """Whether the queue was started, and has not ended yet."""
        return self._thread is not None

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._cancel is not None and self._cancel.event.is_set()

    def start(self) -> None:
        """Runs what waits."""
        if self._thread is None:
            main_collector().start()
            self.error = ""
            self._cancel = CancelToken()
            self._thread = threading.Thread(
                target=self._work, args=(self._cancel,), name="ryven-llm-queue", daemon=True
            )
            self._thread.start()
            self.changed.emit()

    def stop(self) -> None:
        """Stops the running flow after its step, with a checkpoint, and puts it back; asked again, at once."""
        if self._cancel is not None:
            self._cancel.cancel(self.is_stopping)
            self.changed.emit()

    def shut_down(self, patience: float = PATIENCE) -> None:
        """Stops, and waits a moment; what is not stopped by then ends with this process, and waits again."""
        self.stop()
        if self._thread is not None:
            self._thread.join(patience)

    # In the thread

    def _work(self, cancel: CancelToken) -> None:
        try:
            while not cancel.event.is_set() and (entry := self.queue.begin_next()) is not None:
                self._deliver(lambda entry=entry: self._began(entry))
                status, error = self._run(entry, cancel)
                self.queue.end(entry.id, status, error)
                self._deliver(lambda entry=entry, status=status: self.ended.emit(entry, status))
        except LLMNodesError as error:  # the file of the queue
            self._deliver(lambda text=str(error): self._got_stuck(text))
        finally:
            self._deliver(self._over)

    def _run(self, entry: Queued, cancel: CancelToken) -> tuple[str, str]:
        """Runs ``entry``; its status then, and its error. One that fails does not keep the next from running."""
        from ryven_llm_nodes.run import run_apart

        try:
            outcome: Outcome = run_apart(entry.program(), Path(entry.output), self._listen, cancel)
        except LLMNodesError as error:
            return RunState.FAILED, str(error)
        except Exception:  # an internal error must not end the queue either
            return RunState.ABORTED, traceback.format_exc()
        if outcome.status == RunState.CANCELLED:
            return RunState.NOT_BEGUN, ""
        return outcome.status, str(outcome.error or "")

    def _listen(self, event: Event) -> None:
        if isinstance(event, (StageStarted, Progress)):
            place = f" {event.done} / {event.total}" if isinstance(event, Progress) else ""
            self._deliver(lambda text=f"{event.step}{place}": self._went_on(text))

    def _deliver(self, call: Callable[[], Any]) -> None:
        """Calls ``call`` in the main thread."""
        with suppress(RuntimeError):  # the window is gone
            self._came.emit(call)

    # In the main thread again

    def _began(self, entry: Queued) -> None:
        self.current, self.doing = entry, ""
        self.changed.emit()

    def _went_on(self, doing: str) -> None:
        self.doing = doing
        self.went_on.emit()

    def _got_stuck(self, error: str) -> None:
        self.error = error
        self.changed.emit()

    def _over(self) -> None:
        self.current = self._cancel = self._thread = None
        self.changed.emit()
