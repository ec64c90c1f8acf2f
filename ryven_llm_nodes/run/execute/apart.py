"""Runs a stage, or a complete program, in a process of its own.

Its memory is free when it ends, it can be stopped whatever it does, and the process that started it survives it. The
weights are those of a run in this process.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ryven_llm_nodes.errors import Cancelled, Explained, LLMNodesError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.launch.accelerate import accelerate_text
from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.run.events import (
    Event,
    Listener,
    Log,
    RunFinished,
    StageFailed,
    StageFinished,
    StageStarted,
    event_of,
)
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.execute.failures import death, the_next_run
from ryven_llm_nodes.run.execute.outcome import Outcome
from ryven_llm_nodes.run.execute.requests import MODULE, error_of, run_request, stage_request
from ryven_llm_nodes.run.execute.stage import Made
from ryven_llm_nodes.run.loaded import LoadedProgram

PATIENCE: Final = 1.0
"""Seconds in which a process must answer a request to stop; one that cannot, since code holds Python's lock, is
killed."""
LAST_LINES: Final = 40
KILLED: Final = re.compile(r"exitcode\s*:\s*-9\b")
"""How torchrun reports that the system has killed one of its processes."""


class ProcessDied(Explained):
    """A process ended without saying how; ``lines`` are the last that it printed."""

    def __init__(self, status: int, lines: list[str]) -> None:
        self.lines = lines
        said = f" The last that it printed: {lines[-1]}" if lines else ""
        super().__init__(f"its process ended unexpectedly ({_ending(status)}).{said}")


class _Elsewhere(Exception):
    """The traceback of an error in another process, as the cause of the same error in this one."""


def in_processes(program: Program, loaded: LoadedProgram, step: Step, tell: Listener, cancel: CancelToken) -> Made:
    """Runs the stage ``step`` in processes of its own, as many as its launch settings say."""
    request = stage_request(program, loaded.output_dir, step)
    try:
        with Worker(request, program.graph.launch.of(step.name)) as worker:
            end = worker.follow(tell, cancel)
    except (ProcessDied, MemoryError) as error:
        raise death(error, step, loaded.output_dir) from error
    except Cancelled:
        tell(Log(step.name, f"{step.name}: its process was ended; {the_next_run(loaded.output_dir / step.name)}"))
        raise
    if "error" in end:
        raise error_of(end["error"]) from _Elsewhere(end["details"])
    if "cancelled" in end:
        raise Cancelled
    ended_at = tuple(end["made"]) if end["made"] else None
    return Made(loaded.run(step.name), ended_at)  # finds its finished folder, and returns it


def run_apart(
    program: Program,
    output_dir: Path,
    listen: Listener = lambda event: None,
    cancel: CancelToken | None = None,
    fresh: bool = False,
    strict: bool = False,
    all_rows: bool = False,
    isolated: bool = False,
) -> Outcome:
    """Runs ``program`` like :func:`run_program`, in a process of its own; its stages each in another if ``isolated``.

    Nothing heavy is loaded in this process, and a request to stop is followed whatever the user's code does.
    """
    options = {"fresh": fresh, "strict": strict, "all_rows": all_rows, "isolated": isolated}
    active = _Active(listen)
    try:
        with Worker(run_request(program, output_dir.absolute(), options)) as worker:
            end = worker.follow(active, cancel or CancelToken())
    except Cancelled:
        return active.ended(Outcome("cancelled"))
    except (ProcessDied, MemoryError) as error:
        return active.ended(Outcome("failed", error=active.failure(program, output_dir, error)))
    if "status" not in end:
        return active.ended(Outcome("failed", error=error_of(end["error"])))
    error = error_of(end["error"]) if end["error"] else None
    folders = ({name: Path(at) for name, at in end[kind].items()} for kind in ("models", "reports"))
    return Outcome(end["status"], *folders, error, end["seconds"])


class _Active:
    """Passes events on, and knows which stage is running; completes a story that was cut off."""

    def __init__(self, listen: Listener) -> None:
        self.listen, self.step, self.is_over, self.began = listen, "", False, time.monotonic()

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self.step = event.step
        elif isinstance(event, StageFinished | StageFailed):
            self.step = ""
        self.is_over |= isinstance(event, RunFinished)
        self.listen(event)

    def failure(self, program: Program, output_dir: Path, error: Exception) -> LLMNodesError:
        """What a process that died tells the user."""
        if not self.step:
            return LLMNodesError(f"The run: {error}")
        failed = death(error, program.graph.by_name[self.step], output_dir.absolute())
        self.listen(StageFailed(self.step, str(failed), "\n".join(getattr(error, "lines", []))))
        return failed

    def ended(self, outcome: Outcome) -> Outcome:
        """Reports the end of a run that could not do so itself."""
        outcome.seconds = time.monotonic() - self.began
        if not self.is_over:
            self.listen(RunFinished("", outcome.status, {}, outcome.seconds))
        return outcome


class Worker:
    """A process that does what a request asks for; use as a context manager, at whose end it is gone."""

    def __init__(self, request: Mapping[str, Any], launch: Launch | None = None) -> None:
        self._request, self._launch = request, launch or Launch()
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._is_heard, self._is_urgent, self._asked_at = False, False, 0.0

    def __enter__(self) -> Worker:
        self._folder = TemporaryDirectory(prefix="ryven-llm-")
        file = Path(self._folder.name, "request.json")
        file.write_text(json.dumps(self._request), "utf-8")
        command = [sys.executable, "-m", MODULE, str(file), str(self._launch.total), *self._config()]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._process = subprocess.Popen(command, text=True, encoding="utf-8", start_new_session=True, **pipes)
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()
        return self

    def _config(self) -> list[str]:
        """What accelerate needs where a model is spread over processes."""
        if self._launch.total == 1 or self._launch.strategy == "ddp":
            return []
        file = Path(self._folder.name, "accelerate.yaml")
        file.write_text(accelerate_text(self._launch), "utf-8")
        return [str(file)]

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(1.0)
        self._folder.cleanup()

    def kill(self) -> None:
        """Ends the process and those that it has started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def follow(self, tell: Listener, cancel: CancelToken) -> dict[str, Any]:
        """Passes events to ``tell`` until the end, which is returned; passes on what ``cancel`` asks for.

        Raises Cancelled for a process that had to be killed in order to stop it, MemoryError for one that the system
        has killed, and ProcessDied for one that ended otherwise.
        """
        while True:
            self._pass_on(cancel)
            try:
                message = self._messages.get(timeout=0.05)
            except queue.Empty:
                continue
            if message is None:
                raise self._death(cancel)
            if "end" in message:
                return message["end"]
            self._is_heard |= "heard" in message
            if "event" in message:
                tell(event_of(message))

    def _pass_on(self, cancel: CancelToken) -> None:
        if cancel.event.is_set() and not self._asked_at:
            self._asked_at = time.monotonic()
            self._ask("stop")
        if cancel.now_event.is_set() and not self._is_urgent:
            self._is_urgent = True
            self._ask("now")
        if cancel.keep_event.is_set():
            cancel.keep_event.clear()
            self._ask("keep")
        is_deaf = self._asked_at and not self._is_heard and time.monotonic() - self._asked_at > PATIENCE
        if is_deaf or (self._asked_at and self._launch.total > 1):
            self.kill()

    def _ask(self, what: str) -> None:
        with suppress(OSError):  # it has just ended, which is the next message
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()

    def _death(self, cancel: CancelToken) -> Exception:
        """Why the process ended without a word."""
        status = self._process.wait()
        self._readers[1].join(1.0)
        lines = list(self._last)
        if self._asked_at or cancel.event.is_set():
            return Cancelled()
        if status == -signal.SIGKILL or any(KILLED.search(line) for line in lines):
            return MemoryError("its process was killed by the system (signal 9)")
        return ProcessDied(status, lines)

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.startswith("{"):
                self._messages.put(json.loads(line))
        self._messages.put(None)

    def _read_errors(self) -> None:
        for line in self._process.stderr:
            self._last.append(line.rstrip())
            sys.stderr.write(line)


def _ending(status: int) -> str:
    """How a process ended, by its exit status."""
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
