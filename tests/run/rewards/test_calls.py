"""Calling code of the user: a limit and a wish to stop work while it is inside, in the main thread and elsewhere."""

from __future__ import annotations

import asyncio
import contextvars
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.errors import Cancelled
from ryven_llm_nodes.run.rewards.calls import Caller, TookTooLong

THREADS = ("main", "worker")


def run_in(thread: str, function: Callable[[], Any]) -> Any:
    """What ``function`` returns or raises in the main thread, or in another one."""
    if thread == "main":
        return function()
    box: list[Any] = []

    def work() -> None:
        try:
            box.append((function(), None))
        except BaseException as error:
            box.append((None, error))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join(30)
    value, error = box[0]
    if error is not None:
        raise error
    return value


@pytest.fixture
def cancelled() -> threading.Event:
    return threading.Event()


@pytest.fixture
def caller(cancelled: threading.Event) -> Iterator[Caller]:
    with closing(Caller(cancelled)) as caller:
        yield caller


def sleeps() -> None:
    time.sleep(20)


def computes() -> None:
    while True:
        pass


def waits() -> None:
    threading.Event().wait(20)


def swallows() -> None:
    """Catches whatever ends it, twice."""
    for _ in range(2):
        with suppress(BaseException):
            time.sleep(20)
    time.sleep(20)


@pytest.mark.parametrize("thread", THREADS)
@pytest.mark.parametrize("stuck", [sleeps, computes, waits, swallows])
def test_code_that_does_not_return_is_ended(thread: str, stuck: Callable[[], None], caller: Caller) -> None:
    began = time.monotonic()
    with pytest.raises(TookTooLong, match=re.escape("did not return within 0.1 s")) as caught:
        run_in(thread, lambda: caller.call(stuck, 0.1))
    assert time.monotonic() - began < 5
    body = range(stuck.__code__.co_firstlineno, stuck.__code__.co_firstlineno + 6)
    assert any(file == __file__ and line in body for file, line in caught.value.lines), "it says where it was"


@pytest.mark.parametrize("thread", THREADS)
def test_a_wish_to_stop_ends_it_too(thread: str, caller: Caller, cancelled: threading.Event) -> None:
    threading.Timer(0.1, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        run_in(thread, lambda: caller.call(sleeps, 60))
    assert time.monotonic() - began < 1


def test_a_regular_expression_that_goes_astray_is_ended(caller: Caller) -> None:
    """It lets no other thread run, so no watchdog could do it."""
    with pytest.raises(TookTooLong):
        caller.call(lambda: re.match(r"(a+)+$", "a" * 40 + "b"), 0.1)


@pytest.mark.parametrize("thread", THREADS)
def test_what_is_returned_or_raised_passes_through(thread: str, caller: Caller) -> None:
    value = object()
    assert run_in(thread, lambda: caller.call(lambda: value, 5)) is value
    with pytest.raises(ZeroDivisionError) as caught:
        run_in(thread, lambda: caller.call(lambda: 1 / 0, 5))
    assert caught.traceback[-1].path == Path(__file__), "the line that raised is in the traceback"


@pytest.mark.parametrize("thread", THREADS)
def test_it_can_call_again_after_a_hang(thread: str, caller: Caller) -> None:
    with pytest.raises(TookTooLong):
        run_in(thread, lambda: caller.call(sleeps, 0.1))
    assert run_in(thread, lambda: caller.call(lambda: 1, 5)) == 1


class TestInTheMainThread:
    def test_code_may_use_alarms_of_its_own(self, caller: Caller) -> None:
        """As verifiers of mathematics do, for each answer."""

        def verify() -> str:
            def stop(*_: Any) -> None:
                raise TimeoutError

            before = signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                time.sleep(20)
            except TimeoutError:
                return "too hard"
            finally:
                signal.signal(signal.SIGALRM, before)
            return "solved"

        assert caller.call(verify, 10) == "too hard"

    def test_signals_are_left_as_they_were(self, caller: Caller) -> None:
        numbers = (signal.SIGURG, signal.SIGVTALRM, signal.SIGALRM)
        before = [signal.getsignal(number) for number in numbers]
        with pytest.raises(TookTooLong):
            caller.call(sleeps, 0.1)
        assert [signal.getsignal(number) for number in numbers] == before
        assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)

    def test_a_signal_of_somebody_else_gets_through(self, caller: Caller) -> None:
        got: list[int] = []
        before = signal.signal(signal.SIGURG, lambda number, frame: got.append(number))
        try:
            assert caller.call(lambda: signal.raise_signal(signal.SIGURG), 5) is None
        finally:
            signal.signal(signal.SIGURG, before)
        assert got == [signal.SIGURG]

    def test_is_called_in_place(self, caller: Caller) -> None:
        assert caller.call(threading.current_thread, 5) is threading.main_thread()


class TestElsewhere:
    def test_all_calls_share_a_thread(self, caller: Caller) -> None:
        """So that what a library keeps by thread is made once."""
        first, second = (run_in("worker", lambda: caller.call(threading.current_thread, 5)) for _ in range(2))
        assert first is second

    def test_the_thread_ends_with_its_caller(self, cancelled: threading.Event) -> None:
        with closing(Caller(cancelled)) as caller:
            thread = run_in("worker", lambda: caller.call(threading.current_thread, 5))
        thread.join(5)
        assert not thread.is_alive()

    def test_an_endless_loop_that_was_left_behind_ends(self, caller: Caller) -> None:
        before = set(threading.enumerate())
        with pytest.raises(TookTooLong):
            run_in("worker", lambda: caller.call(computes, 0.1))
        for thread in set(threading.enumerate()) - before:
            thread.join(5)
            assert not thread.is_alive()

    def test_the_settings_of_the_calling_thread_hold(self, caller: Caller) -> None:
        import torch

        mark = contextvars.ContextVar("mark", default="")
        threads = torch.get_num_threads()

        def seen() -> tuple[Any, ...]:
            return mark.get(), torch.is_grad_enabled(), torch.get_num_threads()

        def ask() -> tuple[Any, ...]:
            mark.set("here")
            torch.set_num_threads(3)
            with torch.no_grad():
                return caller.call(seen, 5)

        try:
            assert run_in("worker", ask) == ("here", False, 3)
        finally:
            torch.set_num_threads(threads)


class TestCoroutines:
    def test_one_that_returns(self, caller: Caller) -> None:
        assert asyncio.run(caller.wait(asyncio.sleep(0.1, "slept"), 5)) == "slept"

    def test_one_that_does_not(self, caller: Caller) -> None:
        async def judge() -> None:
            await asyncio.sleep(20)

        with pytest.raises(TookTooLong) as caught:
            asyncio.run(caller.wait(judge(), 0.1))
        assert (__file__, judge.__code__.co_firstlineno + 1) in caught.value.lines

    def test_one_that_is_to_stop(self, caller: Caller, cancelled: threading.Event) -> None:
        threading.Timer(0.1, cancelled.set).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            asyncio.run(caller.wait(asyncio.sleep(20), 60))
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("thread", THREADS)
def test_a_call_costs_less_than_a_millisecond(thread: str, caller: Caller) -> None:
    def fastest() -> float:  # of many, for the machine may be busy
        seconds = []
        for _ in range(200):
            began = time.perf_counter()
            caller.call(int, 600)
            seconds.append(time.perf_counter() - began)
        return min(seconds)

    assert run_in(thread, fastest) < 1e-3
