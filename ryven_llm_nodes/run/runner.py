"""Runs a program in this process, step by step, and reports what happens."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ryven_llm_nodes.catalogue import ExportScript
from ryven_llm_nodes.errors import Cancelled, LLMNodesError
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.files import write_whole
from ryven_llm_nodes.run.events import (
    Listener,
    Log,
    RunFinished,
    RunStarted,
    StageFailed,
    StageFinished,
    StageReused,
    StageStarted,
)
from ryven_llm_nodes.run.failures import stage_error
from ryven_llm_nodes.run.kept import decide, prepare
from ryven_llm_nodes.run.keys import keys_of
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.preflight import preflight
from ryven_llm_nodes.run.recording import recording


class CancelToken:
    """Asks a run, from any thread, to stop: within one optimizer step, inside generation within one token."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def cancel(self) -> None:
        """Ask to stop. There is no way back: a new run takes a new token."""
        self.event.set()


@dataclass
class Outcome:
    """How a run ended: ``status`` is done, failed or cancelled; ``models`` maps steps to the folders they wrote."""

    status: str = "done"
    models: dict[str, Path] = field(default_factory=dict)
    error: LLMNodesError | None = None
    seconds: float = 0.0


def run_program(
    program: Program,
    output_dir: Path,
    listen: Listener = lambda event: None,
    cancel: CancelToken | None = None,
    fresh: bool = False,
) -> Outcome:
    """Runs ``program``, writing below ``output_dir``; never raises for what a user's flow, data or code did.

    A stage that was finished there and depends on nothing that changed is not run again; one that was stopped goes on
    from its newest checkpoint. ``fresh`` trains everything anew.
    What went wrong is in the outcome's ``error``. KeyboardInterrupt and errors of this package itself pass through.
    """
    return _Run(program, output_dir.absolute(), listen, cancel or CancelToken(), fresh).execute()


class _Run:
    def __init__(self, program: Program, output_dir: Path, listen: Listener, cancel: CancelToken, fresh: bool) -> None:
        self.program, self.output_dir, self.listen, self.cancel = program, output_dir, listen, cancel
        self.fresh = fresh
        self.outcome = Outcome()

    def execute(self) -> Outcome:
        started = time.monotonic()
        stages = tuple(step.name for step in self.program.steps if step.node.family == "trainer")
        self.listen(RunStarted("", stages, str(self.output_dir)))
        try:
            self._run()
        except LLMNodesError as error:
            self.outcome.status, self.outcome.error = "failed", error
        except Cancelled:
            self.outcome.status = "cancelled"
        self.outcome.seconds = time.monotonic() - started
        models = {name: str(folder) for name, folder in self.outcome.models.items()}
        self.listen(RunFinished("", self.outcome.status, models, self.outcome.seconds))
        return self.outcome

    def _run(self) -> None:
        self.listen(Log("", "loading torch, transformers and TRL"))
        with _no_usage_pings(), LoadedProgram(self.program, self.output_dir) as loaded:
            steps = [step for step in self.program.steps if step.name in loaded.script.statements]
            sources = [step for step in steps if not step.wires]
            for step in sources:
                self._step(step, loaded)
            self.listen(Log("", "checking data, settings and rewards"))
            preflight(self.program, loaded)
            self._export_scripts()
            self.keys = keys_of(self.program)
            for step in steps:
                if step not in sources:
                    self._step(step, loaded)

    def _step(self, step: Step, loaded: LoadedProgram) -> None:
        """Runs one statement; a failure names its node."""
        from ryven_llm_nodes.run.callback import Watch, watching

        if self.cancel.event.is_set():
            raise Cancelled
        if step.node.family == "trainer" and not self._is_to_run(step):
            loaded.run(step.name)  # finds its finished folder, and returns it
            self.outcome.models[step.name] = self.output_dir / step.name
            return
        started = time.monotonic()
        self.listen(StageStarted(step.name, step.label))
        watch = Watch(step.name, self.output_dir / step.name, self.listen, self.cancel.event)
        try:
            with watching(watch), recording(self.program, loaded, step, self.listen):
                value = loaded.run(step.name)
        except Cancelled:
            raise
        except Exception as error:
            failure = stage_error(error, step, self.program, loaded)
            self.listen(StageFailed(failure.problem.step, str(failure), traceback.format_exc()))
            raise failure from error
        folder = str(value) if step.node.family in ("trainer", "output") else ""
        if folder:
            self.outcome.models[step.name] = Path(folder)
        self.listen(StageFinished(step.name, folder, time.monotonic() - started))

    def _is_to_run(self, step: Step) -> bool:
        """Decides what to do with a trainer, says so, and makes its folder ready."""
        folder, key = self.output_dir / step.name, self.keys[step.name]
        decision = decide(folder, key, self.fresh)
        if decision.action == "reuse":
            self.listen(StageReused(step.name, str(folder), decision.reason))
            return False
        if decision.reason:
            self.listen(Log(step.name, f"{step.name}: {decision.reason}"))
        prepare(folder, key, decision)
        return True

    def _export_scripts(self) -> None:
        for step in self.program.steps:
            if step.node is ExportScript:
                path = self.output_dir / Path(step.given.get("path", "pipeline.py")).expanduser()
                write_whole(path, self.program.script_for(path.parent).text)
                self.listen(StageFinished(step.name, str(path)))


@contextmanager
def _no_usage_pings() -> Iterator[None]:
    """TRL and the Hub's client report their use unless told otherwise; the flow did not ask for that."""
    before = os.environ.get("HF_HUB_DISABLE_TELEMETRY")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("HF_HUB_DISABLE_TELEMETRY", None)
