"""Runs flows in a worker thread, one at a time, and checks and exports them without blocking the window."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, Qt, Signal

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import FlowError, LLMNodesError, Problem, Weight
from ryven_llm_nodes.gui.concurrency.garbage_collection import main_collector
from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.preview.client import PreviewClient
from ryven_llm_nodes.gui.running.resuming import Resuming
from ryven_llm_nodes.gui.running.trust_dialog import ask_to_run, typed_here
from ryven_llm_nodes.gui.running.work import Work, run_here
from ryven_llm_nodes.gui.state import preferences
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.gui.state.earlier_curves import WithKeptCurves
from ryven_llm_nodes.gui.state.flow_state import FlowState, flow_state
from ryven_llm_nodes.host.session import default_output_dir, up_to
from ryven_llm_nodes.program import Graph, Program, build, read_live_flow
from ryven_llm_nodes.run import CancelToken, Outcome
from ryven_llm_nodes.run.events import Event, RunFinished, StageStarted
from ryven_llm_nodes.run.examine.questions import check_question
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.trust.seen import Foreign, remember, unseen

SWITCH_SECONDS: Final = 0.001
NICER: Final = 5
ISOLATED: Final = "isolated runs"
SIGNS: Final[dict[Weight, str]] = {"error": "✗", "warning": "!", "note": "·"}
"""How a line of the log begins, by the weight of what was found."""
BUSY: Final = "A run is already active; stop it (Shift+F5) or wait for it to end."
NOT_ALLOWED: Final = "Not run: the flow contains code that you have not allowed."


class RunController(QObject):
    """Starts and stops runs of the flows of ``document``. All methods belong to the main thread; so do all signals."""

    running_changed = Signal(bool)
    finished = Signal(object, object)
    """A run ended: the state of its flow, and its Outcome or the error that prevented its start."""
    said = Signal(object, str)
    """A line for the log of a flow, given by its state."""
    _came = Signal(object)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.state: FlowState | None = None
        """The flow that is running."""
        self.ask: Callable[[Sequence[Foreign]], bool] = ask_to_run
        """Shows the user the untrusted code of a flow, and returns whether it may run."""
        self.examiner = PreviewClient(self)
        """The process that checks flows and prepares rows for the preview."""
        self.collector = main_collector()
        self.isolated = bool(preferences.read(ISOLATED))
        """Whether runs, and each of their stages, have a process of their own."""
        self._cancel: CancelToken | None = None
        self._begun = self._asked_to_end = ""
        self._resuming = Resuming(self)
        self._checks: dict[Any, int] = {}
        self._thread: threading.Thread | None = None
        self._came.connect(lambda call: call(), Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """Whether a run is active, or being stopped."""
        return self.state is not None

    @property
    def training(self) -> str:
        """The stage that is training, after its first step and before its last; empty if none is."""
        stages = self.state.model.stages.values() if self.state else ()
        return next((stage.step for stage in stages if stage.is_running and 0 < stage.done < stage.total), "")

    @property
    def ending(self) -> str:
        """The stage that was asked to end early, until it has ended."""
        return self._asked_to_end if self._asked_to_end == self.training else ""

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop, and has not ended yet."""
        return self._cancel is not None and self._cancel.event.is_set()

    # Reading a flow

    def snapshot(self, flow: Any, to: LLMNode | None = None) -> Drawn | None:
        """``flow`` as it is drawn now, up to ``to``; None if it cannot be read, which is then shown."""
        try:
            graph = read_live_flow(flow, self._document.folder, self._document.source, places=True)
            return Drawn.of(up_to(graph, flow, to), flow)
        except FlowError as error:
            self._show(flow_state(flow), error.problems, None)
            return None

    def prepare(self, flow: Any, then: Callable[[Program | None], None]) -> None:
        """Checks ``flow`` in a worker and marks its problems; then calls ``then`` with the program, or None."""
        state = flow_state(flow)
        state.clear_problems()
        drawn = self.snapshot(flow)
        if drawn is None:
            then(None)
            return

        def show(result: Program | LLMNodesError) -> None:
            if isinstance(result, Program):
                then(result)
            else:
                self._show(state, _problems(result), drawn)
                then(None)

        self._start(lambda: self._deliver(show, _built(drawn.graph)))

    def check(self, flow: Any, then: Callable[[Program | None], None]) -> None:
        """Like :meth:`prepare`, and also reads rows and tokenizers, in a process of its own; marks all findings.

        Code that the user has not allowed is not run.
        """
        state, drawn = flow_state(flow), self.snapshot(flow)
        if drawn is None:
            then(None)
            return
        self._checks[flow] = number = self._checks.get(flow, 0) + 1
        untrusted = [(item.step, item.parameter) for item in self.untrusted(drawn)]

        def show(program: Program, answer: Mapping[str, Any]) -> None:
            if self._checks[flow] != number:
                return  # a later check has other findings
            lost = [Problem(text) for text in answer.get("problems", ())]
            problems = (*lost, *map(Problem.of_fields, answer.get("found", ())))
            state.clear_problems()
            self._show(state, problems, drawn)
            then(None if any(one.weight == "error" for one in problems) else program)

        def ask(program: Program | None) -> None:
            if program is None:
                then(None)
            else:
                question = check_question(drawn.graph, output_dir(drawn.graph), untrusted)
                self.examiner.ask(question, self, lambda answer: show(program, answer))

        self.prepare(flow, ask)

    def look(self, flow: Any) -> None:
        """Finds in a thread what is wrong with ``flow`` as it is drawn, and where it resumes.

        Marks nothing, but removes outdated marks.
        """
        state = flow_state(flow)
        if flow not in self._document.window.core_session.flows:
            return
        try:
            drawn = Drawn.of(read_live_flow(flow, self._document.folder, self._document.source), flow)
        except FlowError as error:
            state.look_again(error.problems, None)
            self._resuming.forget(state)
            return
        nodes = list(flow.nodes)

        def show(result: Program | LLMNodesError) -> None:
            if flow.nodes == nodes:  # else it is looked at again in a moment
                state.look_again(() if isinstance(result, Program) else _problems(result), drawn)
            if isinstance(result, Program):
                self._resuming.look(state, drawn, result, output_dir(drawn.graph))
            else:
                self._resuming.forget(state)

        background().start(lambda: _built(drawn.graph), self, show)

    # Running

    def run(self, flow: Any, to: LLMNode | None = None, fresh: bool = False, rehearse: bool = False) -> bool:
        """Runs ``flow``, up to ``to`` if given, and as :meth:`start`; ``fresh`` reuses nothing; or rehearses it."""
        return self.start(flow, partial(run_here, self.isolated, rehearse, fresh), to)

    def start(self, flow: Any, work: Work, to: LLMNode | None = None) -> bool:
        """Does ``work`` with ``flow``, up to ``to`` where one is given, in the worker.

        False, with a line in the log, if that is not possible.
        """
        state = flow_state(flow)
        if self.running:
            self.said.emit(state, BUSY)
            return False
        state.clear_problems()
        drawn = self.snapshot(flow, to)
        if drawn is None or not self._may_run(drawn):
            return False
        self.state, self._cancel, self._begun, self._asked_to_end = state, CancelToken(), "", ""
        state.begin(drawn)
        self.running_changed.emit(True)
        self._thread = self._start(partial(self._work, state, drawn, work, self._cancel))
        return True

    def _may_run(self, drawn: Drawn) -> bool:
        """Asks about code that came with the flow and is new to this machine; code typed here needs no question."""
        items, state = unseen(drawn.graph, output_dir(drawn.graph)), flow_state(drawn.flow)
        theirs = _not_typed_here(items, drawn)
        if theirs and not self.ask(theirs):
            self.said.emit(state, NOT_ALLOWED)
            return False
        if note := remember(items):
            self.said.emit(state, note)
        return True

    def untrusted(self, drawn: Drawn) -> list[Foreign]:
        """The code of ``drawn`` that came with the flow, and that the user has not allowed."""
        return _not_typed_here(unseen(drawn.graph, output_dir(drawn.graph)), drawn)

    def allowed(self, flow: Any) -> tuple[Drawn, Path] | None:
        """``flow`` as drawn and its output folder, if it can be read, and the user lets its code run; or None."""
        drawn = self.snapshot(flow)
        return (drawn, output_dir(drawn.graph)) if drawn is not None and self._may_run(drawn) else None

    def show_error(self, drawn: Drawn, error: LLMNodesError) -> None:
        """Marks what ``error`` says on the nodes of the flow."""
        self._show(flow_state(drawn.flow), _problems(error), drawn)

    def stop(self, now: bool = False) -> bool:
        """Asks the run to stop: after this step, with a checkpoint, or ``now``, without. False if nothing runs."""
        if self._cancel is None:
            return False
        self._cancel.cancel(now)
        return True

    def isolate(self, wanted: bool) -> None:
        """Decides where the next runs take place, now and in later sessions."""
        self.isolated = wanted
        preferences.keep(ISOLATED, wanted)

    def keep(self) -> str:
        """Asks the running stage to end after this step, and to pass its model on as is.

        Returns the stage; empty if none is training, or if the run has moved on to another that is not shown yet.
        """
        step = self.training
        if self._cancel is None or step != self._begun or not step:
            return ""
        self._cancel.keep()
        self._asked_to_end = step
        return step

    def shut_down(self, patience: float = 5.0) -> None:
        """Stops, and waits a moment for the worker, which is a daemon and does not block the exit."""
        self.stop()
        self.examiner.stop()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(patience)
        background().wait(patience)
        self.collector.stop()

    def _work(self, state: FlowState, drawn: Drawn, work: Work, cancel: CancelToken) -> None:
        """The worker: everything heavy happens here."""
        result: Outcome | LLMNodesError
        _stand_back()
        try:
            program = _built(drawn.graph)
            if isinstance(program, LLMNodesError):
                result = program
            else:
                result = work(program, output_dir(drawn.graph), self._listener(state), cancel)
        except BaseException as error:  # an internal error must not look like an active run
            result = LLMNodesError(f"{type(error).__name__}: {error}")
            self._deliver(lambda text: self.said.emit(state, text), traceback.format_exc())
        self._deliver(lambda outcome: self._ended(state, drawn, outcome), result)

    def _listener(self, state: FlowState) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            if isinstance(event, StageStarted):
                self._begun = event.step
                self.collector.freeze()  # the first stage starts once everything heavy has been imported
            with suppress(RuntimeError):  # the window is gone; the run ends at its next step
                state.model.post(event)

        return WithKeptCurves(listen)

    def _ended(self, state: FlowState, drawn: Drawn, result: Outcome | LLMNodesError) -> None:
        self.state = self._cancel = None
        error = result.error if isinstance(result, Outcome) else result
        if not isinstance(result, Outcome):
            state.model.post(RunFinished("", RunState.FAILED))
        if error is not None:
            self._show(state, _problems(error), drawn)
        state.look_soon()
        self.running_changed.emit(False)
        self.finished.emit(state, result)

    def _show(self, state: FlowState, problems: tuple[Problem, ...], drawn: Drawn | None) -> None:
        state.show_problems(problems, drawn)
        for problem in problems:
            self.said.emit(state, f"{SIGNS[problem.weight]} {problem}")

    # Threads

    def _start(self, work: Callable[[], None]) -> threading.Thread:
        self.collector.start()
        thread = threading.Thread(target=work, name="ryven-llm", daemon=True)
        thread.start()
        return thread

    def _deliver(self, call: Callable[[Any], None], value: Any) -> None:
        """Calls ``call(value)`` in the main thread."""
        with suppress(RuntimeError):  # the window is gone
            self._came.emit(lambda: call(value))


def _stand_back() -> None:
    """Lowers the priority of this thread and those it starts, which keep every core busy and hold Python's lock.

    Linux alone has priorities of single threads. Neither changes what is computed.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform == "linux":
        with suppress(OSError):
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + NICER)


def _not_typed_here(items: Sequence[Foreign], drawn: Drawn) -> list[Foreign]:
    return [item for item in items if not typed_here(item, drawn.nodes[item.step])]


def output_dir(graph: Graph) -> Path:
    """Where the editor runs a flow."""
    return default_output_dir(graph.title).absolute()


def _built(graph: Graph) -> Program | LLMNodesError:
    try:
        return build(graph)
    except LLMNodesError as error:
        return error


def _problems(error: LLMNodesError) -> tuple[Problem, ...]:
    """What an error says, problem by problem."""
    several = getattr(error, "problems", None) or ((one,) if (one := getattr(error, "problem", None)) else None)
    return tuple(several) if several else (Problem(str(error)),)
