"""Calls the user's code so that time limits and stop requests work while it runs.

In the main thread the code is called in place, since it may need that thread itself (``signal.alarm``), and is
interrupted by a signal, also while waiting. Elsewhere it is called in a thread of its own, which can be abandoned.
There, code that never releases Python's lock (an endless loop in C) can only be stopped by ending the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, nullcontext, suppress
from queue import SimpleQueue
from typing import Any, Final, Protocol

from ryven_llm_nodes.errors import Cancelled, Problem
from ryven_llm_nodes.program import Step
from ryven_llm_nodes.run.loaded import LoadedProgram

OWN_COLUMNS: Final = ("prompt", "completion", "completion_ids")
"""The columns of a dataset that TRL does not pass to a reward as they are."""
POLL: Final = 0.05
REPEAT: Final = 0.5
"""Seconds until code that has swallowed its interruption is interrupted again."""
WAKE: Final = getattr(signal, "SIGURG", None)
"""The signal that wakes the main thread: ignored unless a handler is set. Windows has none."""


class Flag(Protocol):
    """Tells whether the user has asked to stop; a threading.Event is one."""

    def is_set(self) -> bool:
        """Whether calls end now."""


class TookTooLong(Exception):
    """A call did not return within ``seconds``; ``lines`` are the (file, line) of its stack, innermost first."""

    def __init__(self, seconds: float, lines: tuple[tuple[str, int], ...]) -> None:
        self.seconds, self.lines = seconds, lines
        super().__init__(f"did not return within {seconds:g} s")

    def lines_in(self, file: str) -> list[int]:
        """The lines of ``file`` on its stack, outermost first."""
        return [line for name, line in reversed(self.lines) if name == file]


class _Interrupted(BaseException):
    """Raised inside the user's code. Not an Exception, which user code often catches."""


class _Deadline:
    def __init__(self, seconds: float, cancelled: Flag) -> None:
        self.seconds, self.cancelled = seconds, cancelled
        self.until = time.monotonic() + seconds

    def reason(self, lines: Callable[[], Iterator[tuple[str, int]]]) -> Exception | None:
        """Why the call has to end now, or None."""
        if self.cancelled.is_set():
            return Cancelled()
        return TookTooLong(self.seconds, tuple(lines())) if time.monotonic() >= self.until else None


class Caller:
    """Calls the user's functions. ``cancelled`` interrupts the current call; close it after the last call."""

    def __init__(self, cancelled: Flag) -> None:
        self.cancelled = cancelled
        self._helper: _Helper | None = None

    def call(self, function: Callable[[], Any], seconds: float) -> Any:
        """What ``function`` returns or raises. Raises TookTooLong after ``seconds``, Cancelled when asked to stop."""
        deadline = _Deadline(seconds, self.cancelled)
        if WAKE is not None and threading.current_thread() is threading.main_thread():
            return _in_place(function, deadline)
        if self._helper is None or self._helper.is_left:
            self._helper = _Helper()
        return self._helper.call(function, deadline)

    async def wait(self, awaitable: Awaitable[Any], seconds: float) -> Any:
        """The same for a coroutine; works as long as it yields."""
        deadline, task = _Deadline(seconds, self.cancelled), asyncio.ensure_future(awaitable)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=POLL)
                reason = deadline.reason(lambda: _lines(task.get_stack()))
                if reason and not task.done():
                    raise reason
            return task.result()
        finally:
            task.cancel()

    def close(self) -> None:
        """Lets the helper thread end."""
        if self._helper is not None:
            self._helper.close()


def _lines(frames: Any) -> Iterator[tuple[str, int]]:
    return ((frame.f_code.co_filename, frame.f_lineno) for frame in frames)


def _lines_of_thread(ident: int | None) -> Iterator[tuple[str, int]]:
    frame = sys._current_frames().get(ident or 0)
    return ((frame.f_code.co_filename, line) for frame, line in traceback.walk_stack(frame))


# In place


def _in_place(function: Callable[[], Any], deadline: _Deadline) -> Any:
    ended, reasons = threading.Event(), []
    main = threading.get_ident()

    def is_due() -> bool:
        if not reasons and (reason := deadline.reason(lambda: _lines_of_thread(main))):
            reasons.append(reason)
        return bool(reasons)

    def watch() -> None:
        while not ended.wait(REPEAT if reasons else POLL):
            if is_due():
                signal.pthread_kill(main, WAKE)  # type: ignore[arg-type]

    def interrupt() -> None:
        if not ended.is_set() and is_due():
            raise _Interrupted

    watchdog = threading.Thread(target=watch, name="ryven-llm limit", daemon=True)
    with _on_signals(interrupt):
        try:
            with suppress(_Interrupted):
                watchdog.start()
                return _until_ended(function, ended, reasons)
            raise reasons[0]
        finally:
            ended.set()
            watchdog.join()


@contextmanager
def _on_signals(act: Callable[[], None]) -> Iterator[None]:
    """Calls ``act`` at each WAKE, and every second of CPU time of this process.

    The latter is for code that computes without letting another thread run, such as a runaway regular expression.
    """
    before = {number: signal.getsignal(number) for number in (WAKE, signal.SIGVTALRM)}

    def handle(number: int, frame: Any) -> None:
        act()
        if callable(others := before[number]):
            others(number, frame)

    for number in before:
        signal.signal(number, handle)
    timer = signal.setitimer(signal.ITIMER_VIRTUAL, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, *timer)
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _until_ended(function: Callable[[], Any], ended: threading.Event, reasons: list[Exception]) -> Any:
    """Calls ``function``; one that turned its interruption into another exception is still reported as interrupted."""
    try:
        return function()
    finally:
        ended.set()
        if reasons:
            raise _Interrupted


# In a separate thread


class _Helper:
    """A thread that calls functions for another one; the same for all calls, so that thread-local state persists."""

    def __init__(self) -> None:
        self.is_left = False
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ryven-llm reward", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], Any], deadline: _Deadline) -> Any:
        future: Future[Any] = Future()
        self._tasks.put((future, _as_here(function)))
        while not wait([future], POLL).done:
            if reason := deadline.reason(lambda: _lines_of_thread(self._thread.ident)):
                self._leave()
                raise reason
        return future.result()

    def _work(self) -> None:
        with suppress(_Interrupted):
            while task := self._tasks.get():
                future, function = task
                try:
                    future.set_result(function())
                except BaseException as error:  # it belongs to the caller
                    future.set_exception(error)
                del task, future, function  # they hold completions, and a trainer's state

    def _leave(self) -> None:
        """Interrupts the thread as soon as it runs Python again, and ends it."""
        self.is_left = True
        self.close()
        ident, error = ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(_Interrupted)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)

    def close(self) -> None:
        self._tasks.put(None)


def _as_here(function: Callable[[], Any]) -> Callable[[], Any]:
    """``function``, to be called in another thread with this thread's settings."""
    context, torch = contextvars.copy_context(), sys.modules.get("torch")
    if torch is None:
        return lambda: context.run(function)
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    device = torch.cuda.current_device() if torch.cuda.is_initialized() else None

    def call() -> Any:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.set_grad_enabled(grad), nullcontext() if device is None else torch.cuda.device(device):
            return context.run(function)

    return call


def too_long(owner: Step, error: TookTooLong, loaded: LoadedProgram, when: str) -> Problem:
    """The error of a reward function that exceeded its time limit; ``when`` that was, in brackets."""
    line = loaded.line_in_code(owner, error.lines_in(loaded.file))
    where = "" if line is None else f", and was at line {line}"
    remedy = "Look for a request without a timeout, or raise time_limit."
    return owner.problem(f"{error}{where} {when}. {remedy}", "time_limit")


def helpers() -> dict[str, Any]:
    """What TRL passes to a reward besides prompts, completions and columns, where nothing trains."""
    from transformers import TrainerState

    return {"trainer_state": TrainerState(), "log_extra": lambda *_: None, "log_metric": lambda *_: None}
