"""Keeps Python's cyclic garbage collection in the main thread while others run."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QObject, Qt, QTimer, Signal

INTERVAL_MS: Final = 100
YOUNG: Final = 700
PATIENCE: Final = 5.0


class MainThreadCollector(QObject):
    """Collects in the main thread only, from :meth:`start` until :meth:`stop`.

    A collection that runs in a worker deletes unreachable widgets and canvas items there, and Qt
    aborts the process. Workers that allocate start collections, and transformers and accelerate call
    ``gc.collect`` themselves: such a call is answered by the main thread here.
    """

    _asked = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ticks = 0
        self._frozen = False
        self._before: tuple[Any, Any] | None = None
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self._tick)
        self._asked.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """From here on, only the main thread collects."""
        if self._before is None:
            self._before = gc.get_threshold(), gc.collect
            gc.set_threshold(0)
            gc.collect = self._collect  # type: ignore[assignment]
            self._timer.start()

    def stop(self) -> None:
        """Restores normal collection."""
        if self._before is not None:
            self._timer.stop()
            thresholds, collect = self._before
            self._before = None
            gc.collect = collect
            gc.set_threshold(*thresholds)

    def freeze(self) -> None:
        """Excludes all live objects from future collections. Called once, after the big imports.

        torch, transformers and TRL leave about a million objects that never become garbage, and that every full
        collection would visit, which takes longer than the window may be unresponsive.
        """
        if not self._frozen:
            self._frozen = True
            gc.freeze()

    def _tick(self) -> None:
        """Collects by time instead of by count: young objects often, all of them rarely."""
        self._ticks += 1
        generation = 2 if self._ticks % 300 == 0 else 1 if self._ticks % 20 == 0 else 0
        if generation or gc.get_count()[0] > YOUNG:
            self._real(generation)

    def _real(self, generation: int) -> int:
        return self._before[1](generation) if self._before else gc.collect(generation)

    def _collect(self, generation: int = 2) -> int:
        """Stands in for ``gc.collect``."""
        if threading.current_thread() is threading.main_thread():
            return self._real(generation)
        request = _Request(generation)
        self._asked.emit(request)
        request.done.wait(PATIENCE)
        return request.found

    def _answer(self, request: _Request) -> None:
        request.found = self._real(request.generation)
        request.done.set()


def hold_collection() -> Callable[[], None]:
    """No collection from now on until what is returned is called: for what makes many objects, and hardly any garbage.

    Each full collection would visit all that was made so far; those that come later leave it out.
    """
    gc.disable()

    def release() -> None:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    return release


_collector: MainThreadCollector | None = None


def main_collector() -> MainThreadCollector:
    """The only collector of this process; to be called in the main thread first."""
    global _collector
    if _collector is None:
        _collector = MainThreadCollector()
    return _collector


class _Request:
    def __init__(self, generation: int) -> None:
        self.generation, self.found, self.done = generation, 0, threading.Event()
