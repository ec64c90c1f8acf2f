"""What can be done with a flow: run, stop, check, show its script; and the status line."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QObject, Signal

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import LLMNodesError, Weight
from ryven_llm_nodes.gui.canvas.trainer_widget import status_line
from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state.flow_state import FlowState, flow_state
from ryven_llm_nodes.gui.widgets.first_paint import first_paint
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run import Outcome
from ryven_llm_nodes.run.states import RunState, in_words

STOPPING: Final = "stopping after this step ... (Shift+F5 again: at once)"


class Commands(QObject):
    """Each acts on the given flow, else on the one in front, after committing pending edits."""

    beginning = Signal()
    """A run is about to start."""
    status = Signal(str)
    """The status, in a few words."""
    progressed = Signal()
    """The available commands may have changed."""

    def __init__(self, window: Any, flows: Flows, runs: RunController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window, self._flows, self._runs = window, flows, runs
        self.code_window: Any = None
        """The script that was shown last."""
        self.silent = False
        """Whether the window is closed: a run that is being stopped outlives it by a step."""
        runs.running_changed.connect(self.progressed)
        runs.finished.connect(self._finished)

    def watch(self, state: FlowState) -> None:
        """Handles requests from nodes on the canvas, and follows the runs of a flow."""
        state.run_wanted.connect(self.run)
        state.script_wanted.connect(self.generate)
        state.settled.connect(self._look)
        state.model.stage_changed.connect(lambda step: self._stage_changed(state, step))

    def _look(self, flow: Any) -> None:
        if not self.silent:
            first_paint(self._window).then(lambda: self._runs.look(flow))

    def _flow(self, flow: Any = None) -> Any | None:
        self._flows.flush()
        return flow or self._flows.current_flow()

    # Runs

    def run(self, flow: Any = None, to: LLMNode | None = None, fresh: bool = False, rehearse: bool = False) -> bool:
        """Runs or rehearses a flow, up to ``to`` if given; ``fresh`` reuses nothing. False if it cannot run."""
        flow = self._flow(flow)
        self.beginning.emit()
        return flow is not None and self._runs.run(flow, to, fresh, rehearse)

    def stop(self) -> None:
        """Stops the run after this step, with a checkpoint; asked again, at once."""
        again = self._runs.stopping
        if self._runs.stop(now=again):
            self.status.emit("stopping ..." if again else STOPPING)

    def keep(self) -> None:
        """Ends the running stage, and lets the next one start from its model as is."""
        if (step := self._runs.keep()) and (state := self._runs.state):
            self._stage_changed(state, step)

    def _stage_changed(self, state: FlowState, step: str) -> None:
        if self.silent:
            return
        stage = state.model.stages[step]
        self.progressed.emit()
        if stage.is_running:
            stopping = STOPPING if self._runs.stopping else ""
            self.status.emit(stopping or status_line(stage, self._runs.ending == step))

    def _finished(self, state: FlowState, result: Outcome | LLMNodesError) -> None:
        ran = isinstance(result, Outcome)
        after = f" after {duration(result.seconds)}" if ran else ""
        self.status.emit(in_words(result.status if ran else RunState.FAILED) + after)

    # Check and script

    def check(self, flow: Any = None) -> None:
        """Marks every problem of a flow on its nodes."""
        if (flow := self._flow(flow)) is not None:
            self.status.emit("checking...")
            self._runs.check(flow, lambda program: self._checked(flow_state(flow), program))

    def _checked(self, state: FlowState, program: Program | None) -> None:
        if program is not None and not state.findings:
            steps = len(program.steps)
            self._runs.said.emit(state, f"✓ checked {steps} node{'s' * (steps != 1)}: no problem found")
        self._count_problems(state)

    def generate(self, flow: Any = None) -> None:
        """Shows the script of a flow."""
        if (flow := self._flow(flow)) is not None:
            self._runs.prepare(flow, lambda program: self._generated(flow_state(flow), program))

    def _generated(self, state: FlowState, program: Program | None) -> None:
        self._count_problems(state)
        if program is not None:
            from ryven_llm_nodes.gui.code.script_window import CodeWindow  # the window opens sooner

            self.code_window = CodeWindow(program, self._window)
            self.code_window.saved.connect(lambda path: self._runs.said.emit(state, f"✓ wrote {path}"))
            self.code_window.show()

    def _count_problems(self, state: FlowState) -> None:
        weights = [found.weight for findings in state.findings.values() for found in findings]
        names: dict[Weight, str] = {"error": "problem", "warning": "warning", "note": "note"}
        counts = ((weights.count(weight), name) for weight, name in names.items())
        self.status.emit(", ".join(f"{n} {name}{'s' * (n != 1)}" for n, name in counts if n) or "no problems")
