"""Runs in the background: what they have done so far, in words and numbers."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError, UsageError
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run import CancelToken, Event, Outcome, run_apart
from ryven_llm_nodes.run.events import (
    Log,
    Metrics,
    Progress,
    RunStarted,
    StageFailed,
    StageFinished,
    StageReused,
    StageStarted,
    Warned,
)
from ryven_llm_nodes.run.states import RunState

LINES: Final = 40


class ActiveRun:
    """A run in a process of its own, followed by a thread of this one."""

    def __init__(self, program: Program, output_dir: Path) -> None:
        self.output_dir, self.outcome = output_dir, None
        self._stages: dict[str, dict[str, Any]] = {}
        self._lines: deque[str] = deque(maxlen=LINES)
        self._warnings: list[str] = []
        self._record = ""
        self._cancel = CancelToken()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, args=(program,), daemon=True)
        self._thread.start()

    def _work(self, program: Program) -> None:
        try:
            self.outcome = run_apart(program, self.output_dir, self._take, self._cancel)
        except Exception as error:  # of this package: the agent must not wait for ever
            self.outcome = Outcome("failed", error=LLMNodesError(f"{type(error).__name__}: {error}"))

    def _take(self, event: Event) -> None:
        with self._lock:
            stage = self._stages.setdefault(event.step, {"state": str(RunState.READY)}) if event.step else {}
            if isinstance(event, RunStarted):
                self._record = event.record
                self._stages |= {name: {"state": str(RunState.READY)} for name in event.stages}
            elif isinstance(event, Log):
                self._lines.append(event.text)
            elif isinstance(event, Warned):
                self._warnings.append(event.text)
            else:
                stage.update(_facts(event))

    def stop(self) -> None:
        """Asks the run to stop after its step, with a checkpoint."""
        self._cancel.cancel()

    def wait(self, seconds: float) -> None:
        """Waits until the run has ended, for at most ``seconds``."""
        self._thread.join(seconds)

    @property
    def status(self) -> dict[str, Any]:
        """What the run has done so far."""
        outcome: Outcome | None = self.outcome
        with self._lock:
            found: dict[str, Any] = {
                "status": outcome.status if outcome else str(RunState.RUNNING),
                "output_dir": str(self.output_dir),
                "record": self._record,
                "stages": {name: dict(stage) for name, stage in self._stages.items()},
                "warnings": list(self._warnings),
                "log": list(self._lines),
            }
        if outcome and outcome.error:
            found["error"] = str(outcome.error)
        return found


def _facts(event: Event) -> dict[str, Any]:
    if isinstance(event, StageStarted):
        return {"state": str(RunState.RUNNING)}
    if isinstance(event, Progress):
        return {"done": event.done, "total": event.total}
    if isinstance(event, Metrics):
        return {"metrics": dict(event.values)} if "train_runtime" not in event.values else {}
    if isinstance(event, StageFinished | StageReused):
        is_reused = isinstance(event, StageReused)
        return {"state": str(RunState.REUSED if is_reused else RunState.DONE), "folder": event.folder}
    return {"state": str(RunState.FAILED), "error": event.message} if isinstance(event, StageFailed) else {}


class ActiveRuns:
    """The runs of one server, by number from 1."""

    def __init__(self) -> None:
        self._runs: list[ActiveRun] = []

    def start(self, program: Program, output_dir: Path) -> int:
        """Starts a run; returns its number."""
        self._runs.append(ActiveRun(program, output_dir))
        return len(self._runs)

    def __getitem__(self, number: int) -> ActiveRun:
        """Raises UsageError for a number that no run has."""
        if not 1 <= number <= len(self._runs):
            raise UsageError(f"there is no run {number}; {len(self._runs)} were started.")
        return self._runs[number - 1]

    def stop_all(self) -> None:
        """Asks all to stop."""
        for run in self._runs:
            run.stop()
