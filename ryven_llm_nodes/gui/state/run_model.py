"""The state of runs in the editor: a plain model that views subscribe to, fed with events from any thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from qtpy.QtCore import QObject, Qt, Signal

from ryven_llm_nodes.gui.state.earlier_curves import KeptCurves
from ryven_llm_nodes.gui.state.overlay import MOST, LaidOver, Overlay
from ryven_llm_nodes.gui.state.stage_run import TOKENS, StageRun
from ryven_llm_nodes.run.events import (
    Completions,
    Event,
    Log,
    Metrics,
    Progress,
    RunFinished,
    RunStarted,
    StageFailed,
    StageFinished,
    StageReused,
    StageStarted,
    Warned,
)
from ryven_llm_nodes.run.states import RunState

KEPT_COMPLETIONS: Final = 2000


class RunModel(QObject):
    """Holds every stage's current and earlier runs, and signals changes.

    :meth:`post` may be called from any thread; the signals are emitted in the thread that made the model. Views read
    ``stages`` (current run by step name) and ``earlier`` (finished runs by step name, newest last).
    """

    stage_changed = Signal(str)
    metrics_added = Signal(str)
    completions_added = Signal(str)
    logged = Signal(str)
    warned = Signal(str)
    found = Signal(object)
    """A finding that does not keep the flow from running."""
    run_started = Signal(object)
    run_finished = Signal(object)
    overlay_changed = Signal()
    """Other runs are drawn over the curves."""
    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stages: dict[str, StageRun] = {}
        self.earlier: dict[str, list[StageRun]] = {}
        self.running = False
        self.overlay = Overlay()
        self._posted.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def post(self, event: Event) -> None:
        """Handles an event, from any thread."""
        self._posted.emit(event)

    def lay_over(self, found: Sequence[LaidOver]) -> None:
        """Draws these runs over the curves, too, as far as they can be told apart."""
        if left := self.overlay.add(found):
            self.logged.emit(f"{left} of the runs are not drawn: at most {MOST} can be told apart; remove some first.")
        self.overlay_changed.emit()

    def take_off(self, slot: int | None) -> None:
        """Draws the run in ``slot`` no more, or none."""
        if slot is None:
            self.overlay.clear()
        else:
            self.overlay.remove(slot)
        self.overlay_changed.emit()

    def _take(self, event: Event) -> None:
        handler = getattr(self, f"_on_{type(event).__name__}", None)
        if handler is not None:
            handler(event)

    def _on_RunStarted(self, event: RunStarted) -> None:
        self.running = True
        for step in event.stages:
            if step in self.stages and self.stages[step].state != RunState.READY:
                self.earlier.setdefault(step, []).append(self.stages[step])
            self.stages[step] = StageRun(step)
            self.stage_changed.emit(step)
        self.run_started.emit(event)

    def _on_StageStarted(self, event: StageStarted) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.state, stage.started = RunState.RUNNING, time.monotonic()
        self.stage_changed.emit(event.step)

    def _on_Progress(self, event: Progress) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.done, stage.total = event.done, event.total
        self.stage_changed.emit(event.step)

    def _on_Metrics(self, event: Metrics) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        for name, value in event.values.items():
            if value is not None:
                stage.metrics.setdefault(name, []).append((event.done, value))
        if (tokens := event.values.get(TOKENS)) is not None:
            stage.tokens.append((time.monotonic(), tokens))
        self.metrics_added.emit(event.step)

    def _on_Completions(self, event: Completions) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.completions.append(event)
        del stage.completions[:-KEPT_COMPLETIONS]
        self.completions_added.emit(event.step)

    def _on_StageFinished(self, event: StageFinished) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.state, stage.folder = RunState.DONE, event.folder
        self.stage_changed.emit(event.step)

    def _on_StageReused(self, event: StageReused) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.state, stage.folder, stage.message = RunState.REUSED, event.folder, event.reason
        self.logged.emit(f"{event.step}: {RunState.REUSED.word}: {event.reason}")
        self.stage_changed.emit(event.step)

    def _on_KeptCurves(self, event: KeptCurves) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.metrics = {name: list(points) for name, points in event.curves.items()}
        stage.completions = list(event.completions[-KEPT_COMPLETIONS:])
        stage.done, stage.total = event.done, event.total
        stage.resumed_at = event.done if stage.is_running else 0
        earlier = self.earlier.get(event.step, [])
        if earlier and earlier[-1].metrics == stage.metrics:
            earlier.pop()  # it is the same run, which would be drawn twice
        self.stage_changed.emit(event.step)
        self.metrics_added.emit(event.step)
        if stage.completions:
            self.completions_added.emit(event.step)

    def _on_StageFailed(self, event: StageFailed) -> None:
        stage = self.stages.setdefault(event.step, StageRun(event.step))
        stage.state, stage.message = RunState.FAILED, event.message
        self.logged.emit(event.details)
        self.stage_changed.emit(event.step)

    def _on_Log(self, event: Log) -> None:
        self.logged.emit(event.text)

    def _on_Warned(self, event: Warned) -> None:
        if event.weight == "note":
            self.logged.emit(f"note: {event.text}")
        else:
            self.warned.emit(event.text)
        if event.step:
            self.found.emit(event.problem)

    def _on_RunFinished(self, event: RunFinished) -> None:
        self.running = False
        for stage in self.stages.values():
            if stage.is_running:
                stopped = event.status == RunState.CANCELLED
                stage.state = RunState.CANCELLED if stopped else RunState.FAILED
                self.stage_changed.emit(stage.step)
        self.run_finished.emit(event)
