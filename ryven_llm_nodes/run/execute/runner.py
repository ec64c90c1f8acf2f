"""Runs a program step by step, its stages here or in processes of their own, and reports what happens."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import Cancelled, FlowError, LLMNodesError, Problem
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.environment import prepared_environment
from ryven_llm_nodes.run.comparing.comparison import comparison_from
from ryven_llm_nodes.run.comparing.origins import read_report
from ryven_llm_nodes.run.comparing.page import PAGE, write_page
from ryven_llm_nodes.run.events import (
    Event,
    Listener,
    Log,
    RunFinished,
    RunStarted,
    StageFailed,
    StageFinished,
    StageReused,
    StageStarted,
    Warned,
)
from ryven_llm_nodes.run.examine.launching import launch_problems
from ryven_llm_nodes.run.examine.preflight import preflight
from ryven_llm_nodes.run.execute.apart import in_processes
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.execute.failures import stage_error
from ryven_llm_nodes.run.execute.outcome import Outcome
from ryven_llm_nodes.run.execute.stage import Place, here
from ryven_llm_nodes.run.health.watch import Health
from ryven_llm_nodes.run.library_warnings import hearing
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.records.carrying import carries, carry_flow, forget_flow
from ryven_llm_nodes.run.records.record import Record
from ryven_llm_nodes.run.store.alone import alone_in
from ryven_llm_nodes.run.store.keys import Key, keys_of
from ryven_llm_nodes.run.store.output import Output
from ryven_llm_nodes.system.causes import forget
from ryven_llm_nodes.system.files import write_whole


def run_program(
    program: Program,
    output_dir: Path,
    listen: Listener = lambda event: None,
    cancel: CancelToken | None = None,
    fresh: bool = False,
    strict: bool = False,
    all_rows: bool = False,
    place: Place = here,
) -> Outcome:
    """Runs ``program``, writing below ``output_dir``; never raises for errors of a user's flow, data or code.

    A cached stage whose inputs have not changed is reused; a stopped one resumes from its last checkpoint.
    ``fresh`` trains everything from scratch; with ``strict`` nothing is trained where there are warnings; tokens are
    counted in a sample of the rows before anything trains, or in ``all_rows``. ``place`` is where stages run: in this
    process, or in one of their own (run/execute/apart.py), as those always do that several processes share.
    Errors are in the outcome's ``error``. KeyboardInterrupt and errors of this package itself pass through.
    """
    run = _Run(program, output_dir.absolute(), listen, cancel or CancelToken(), fresh)
    run.strict, run.all_rows, run.place = strict, all_rows, place
    return run.execute()


class _Run:
    def __init__(self, program: Program, output_dir: Path, listen: Listener, cancel: CancelToken, fresh: bool) -> None:
        self.program, self.output_dir, self.listen, self.cancel = program, output_dir, listen, cancel
        self.fresh, self.strict, self.all_rows, self.place = fresh, False, False, here
        self.outcome, self.health = Outcome(), Health.of(program)
        self._warned: set[Warned] = set()

    def tell(self, event: Event) -> None:
        """Reports ``event``, and records it; a warning only once."""
        if isinstance(event, Warned):
            if event in self._warned:
                return
            self._warned.add(event)
        self.record.take(event)
        self.listen(event)
        for warned in self.health.take(event):
            self.tell(warned)

    def execute(self) -> Outcome:
        started = time.monotonic()
        try:
            with self._recorded():
                self._run()
        except LLMNodesError as error:
            self.outcome.status, self.outcome.error = "failed", error
        except Cancelled:
            self.outcome.status = "cancelled"
        self.outcome.seconds = time.monotonic() - started
        models = {name: str(folder) for name, folder in self.outcome.models.items()}
        self.listen(RunFinished("", self.outcome.status, models, self.outcome.seconds))
        return self.outcome

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Inside, this run has its folder to itself, and a record; reports its start even if it cannot start."""
        stages = tuple(step.name for step in self.program.steps if step.node.is_stage)
        began = RunStarted("", stages, str(self.output_dir))
        with ExitStack() as stack:
            try:
                stack.enter_context(alone_in(self.output_dir))
                self.record = stack.enter_context(Record(self.program, self.output_dir, self.listen))
                began = replace(began, record=str(self.record.folder))
            finally:
                self.listen(began)
            yield

    def _run(self) -> None:
        self.store = Output(self.output_dir, lambda text: self.tell(Log("", text)))
        self.tell(Log("", "loading torch, transformers and TRL"))
        prepared, hear = prepared_environment(), hearing(self.tell)
        with prepared, LoadedProgram(self.program, self.output_dir) as loaded, hear:
            self.record.add_machine()
            steps = [step for step in self.program.steps if step.name in loaded.script.statements]
            values = list(loaded.value_steps)
            for step in values:
                self._step(step, loaded)
            self.tell(Log("", "checking data, settings and rewards"))
            found = preflight(self.program, loaded, self.cancel.event, self.all_rows)
            self._judge([*launch_problems(self.program), *found])
            self._write_documents()
            keys = keys_of(self.program)
            for step in values:
                if not step.wires:
                    self.record.add_data(step, keys[step.name], loaded.datasets_of(step))
            for step in steps:
                if step not in values:
                    self._step(step, loaded)
            self._drop_lost()

    def _judge(self, problems: list[Problem]) -> None:
        """Reports what was found. Raises FlowError for errors, and for warnings in a strict run."""
        refused = [p for p in problems if p.weight == "error" or (self.strict and p.weight == "warning")]
        for problem in problems:
            if problem.weight != "error":
                self.tell(Warned.of(problem))
        if refused:
            raise FlowError(refused)

    def _drop_lost(self) -> None:
        """A model whose folder was deleted meanwhile is not listed, and reported."""
        for name, folder in list(self.outcome.models.items()):
            if not folder.exists():
                del self.outcome.models[name]
                self.tell(Log(name, f"{name}: its model was deleted during the run: {folder}"))

    def _step(self, step: Step, loaded: LoadedProgram) -> None:
        """Runs one statement, or reuses the result of an earlier run."""
        if self.cancel.event.is_set():
            raise Cancelled
        if step.node.is_stage and not self._is_to_train(step):
            loaded.run(step.name)  # finds its finished folder, and returns it
            self.outcome.note(step, self.output_dir / step.name)
            return
        is_saved = step.node.leaves == "model" and bool(step.node.writes)
        if is_saved and self._is_saved(step):
            self.outcome.note(step, self._target(step))
            return
        started = time.monotonic()
        self.tell(StageStarted(step.name, step.label))
        value = self._watched(step, loaded)
        folder = str(value) if step.node.leaves else ""
        if folder:
            self.outcome.note(step, Path(folder))
        if is_saved:
            carry_flow(self.program, step, Path(folder), self._key(step), is_saved=True)
        self.tell(StageFinished(step.name, folder, time.monotonic() - started))

    def _watched(self, step: Step, loaded: LoadedProgram) -> Any:
        """The value of a step's statement, run where stages run; a failure names its node."""
        self.cancel.keep_event.clear()  # a request to end one stage does not apply to the next
        place = self._place_of(step)
        try:
            made = place(self.program, loaded, step, self.tell, self.cancel)
            if step.node.compares:
                self._write_page(step, Path(made.value), loaded)
            if step.node.is_stage:
                self.store.finish(step.name)
        except Cancelled as cancelled:
            forget(cancelled)
            raise
        except Exception as error:
            failure = stage_error(error, step, self.program, loaded)
            self.tell(StageFailed(failure.problem.step, str(failure), traceback.format_exc()))
            forget(error)
            raise failure from error
        if made.ended_at:
            done, total = made.ended_at
            text = f"{step.name}: ended at step {done} of {total}, model kept; the exported script trains all {total}"
            self.tell(Log(step.name, text))
        return made.value

    def _place_of(self, step: Step) -> Place:
        """Where a step runs: what several processes share never in this one."""
        if not step.node.is_stage:
            return here
        if self.place is here and self.program.graph.launch.of(step.name).total > 1:
            return in_processes
        return self.place

    def _write_page(self, step: Step, folder: Path, loaded: LoadedProgram) -> None:
        """Makes a page of the comparison that ``step`` has left in ``folder``."""
        folders = {step.wires[port].step: Path(loaded.input(step, port)) for port in step.wired("report")}
        write_page(comparison_from(folders, read_report(folder)), folder / PAGE)

    def _key(self, step: Step) -> Key:
        """What ``step`` depends on, given how the steps before it ended."""
        return keys_of(self.program, self.store.ending)[step.name]

    def _target(self, step: Step) -> Path:
        """Where a step writes to, if its user chose the place."""
        place = step.left_at(self.output_dir)
        assert place is not None
        return place

    def _is_saved(self, step: Step) -> bool:
        """Whether what ``step`` would write exists already; reports it."""
        folder = self._target(step)
        if self.fresh or not carries(folder, self._key(step)):
            self.store.free(folder)
            forget_flow(folder)
            return False
        self.tell(StageReused(step.name, str(folder), "it is already saved there"))
        return True

    def _is_to_train(self, step: Step) -> bool:
        """Decides what to do with a stage, reports it, and prepares its folder."""
        folder, key = self.output_dir / step.name, self._key(step)
        decision = self.store.decide(step.name, key, self.fresh)
        if decision.action != "reuse" and decision.reason:
            self.tell(Log(step.name, f"{step.name}: {decision.reason}"))
        self.store.begin(step.name, key, decision, self.record.folder.name)
        self.record.add_key(step, key)
        if decision.action == "reuse":
            self.tell(StageReused(step.name, str(folder), decision.reason))
            return False
        carry_flow(self.program, step, folder, key)
        return True

    def _script_for(self, folder: Path, lean: bool) -> str:
        return self.program.script_for(folder, lean).text

    def _write_documents(self) -> None:
        """Files that are made from the flow alone are written before anything trains."""
        for step in self.program.steps:
            place = step.left_at(self.output_dir)
            text = step.node.document(self.program.context(step), self._script_for, place) if place else None
            if place is not None and text is not None:
                write_whole(place, text)
                self.tell(StageFinished(step.name, str(place)))
