"""Reads files and measures folders in worker threads, so that no window waits for a disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.shiboken import isValid

from ryven_llm_nodes.gui.concurrency.garbage_collection import main_collector

Then = Callable[[Any], Any]


class Background(QObject):
    """Does work in threads, and passes the results to the main thread, where all methods are to be called.

    A thread does not refer to its caller: it must never hold the last reference to a widget.
    """

    _came = Signal(int, object, object)

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()
        self._waiting: dict[int, tuple[QObject, Then]] = {}
        self._threads: list[threading.Thread] = []
        self._came.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def start(self, work: Callable[[], Any], owner: QObject, then: Then) -> None:
        """Calls ``work`` in a thread, and then, here, ``then`` with what it returned, if ``owner`` still exists.

        What ``work`` raises is raised here.
        """
        main_collector().start()
        number = next(self._numbers)
        self._waiting[number] = owner, then
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._work, args=(number, work), name="ryven-llm-files"))
        self._threads[-1].daemon = True
        self._threads[-1].start()

    def wait(self, patience: float) -> None:
        """Waits until all work is done, or ``patience`` seconds have passed."""
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))

    def _work(self, number: int, work: Callable[[], Any]) -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the application is gone
            self._came.emit(number, value, error)

    def _deliver(self, number: int, value: Any, error: Exception | None) -> None:
        owner, then = self._waiting.pop(number)
        if error is not None:
            raise error
        if isValid(owner):
            then(value)


_background: Background | None = None


def background() -> Background:
    """The only instance of this process; to be called in the main thread."""
    global _background
    if _background is None:
        _background = Background()
    return _background
