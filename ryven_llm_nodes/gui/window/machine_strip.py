"""The strip at the bottom of the window: how busy the machine is, how fast a stage trains, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QLabel

from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.state.flow_state import FlowState
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.style.colours import MUTED
from ryven_llm_nodes.gui.widgets.first_paint import first_paint
from ryven_llm_nodes.quantities import duration, size
from ryven_llm_nodes.run.events import RunStarted
from ryven_llm_nodes.run.records.history import past_runs
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.system.load import Load, load_now

REFRESH_MS: Final = 2000
TIP: Final = (
    "This machine: processor, main memory, memory of the GPU. The run: tokens trained per second, the time left of the "
    "stage, and of the flow, as far as earlier runs of its stages tell."
)


def of_machine(load: Load) -> Iterator[str]:
    """The load of a machine, in words."""
    yield f"CPU {load.processor:.0%}"
    yield f"memory {size(load.used)} of {size(load.total)}"
    if load.gpu is not None:
        yield f"GPU {size(load.gpu[0])} of {size(load.gpu[1])}"


def of_run(model: RunModel, known: Mapping[str, float]) -> Iterator[str]:
    """Pace and time left of the run of ``model``; ``known`` are the seconds that stages took in earlier runs."""
    stage = next((one for one in model.stages.values() if one.is_running), None)
    if not model.running or stage is None:
        return
    if pace := stage.tokens_per_second:
        yield f"{pace:,.0f} tokens/s"
    left = stage.seconds_left
    if left is None:
        return
    yield f"{stage.step}: {duration(left)} left"
    later = [one.step for one in model.stages.values() if one.state == RunState.READY]
    if later and all(name in known for name in later):
        yield f"flow: about {duration(left + sum(known[name] for name in later))} left"
    elif later:
        yield f"then {', '.join(later)}"


class MachineStrip(QObject):
    """The texts in the status bar of ``window``, as far as it can be seen."""

    def __init__(self, window: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._window = window
        self._model: RunModel | None = None
        self._known: dict[str, float] = {}
        self.machine, self.run = QLabel(), QLabel()
        for label in (self.machine, self.run):
            label.setStyleSheet(f"color: {MUTED}; background: transparent; font-size: 12px; padding: 0 8px")
            label.setToolTip(TIP)
        bar = window.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.run)
        bar.addPermanentWidget(self.machine)
        bar.show()  # Ryven hides it
        self._clock = QTimer(self, interval=REFRESH_MS)
        self._clock.timeout.connect(self.refresh)
        self._clock.start()
        first_paint(window).then(load_now)  # what is measured begins here

    def watch(self, state: FlowState) -> None:
        """Shows the runs of a flow, once there is one."""
        state.model.run_started.connect(self._began)  # a function would be called after the window is gone
        state.model.run_finished.connect(self._finished)

    def _finished(self, _: object) -> None:
        self.refresh()

    def _began(self, event: RunStarted) -> None:
        self._model, self._known = self.sender(), {}
        folder, stages = Path(event.output_dir), tuple(event.stages)
        background().start(lambda: seconds_of(folder, stages), self, self._known.update)
        self.refresh()

    def refresh(self) -> None:
        """Shows how it is now."""
        if isalive(self._window) and self._window.isVisible():
            self.machine.setText("   ".join(of_machine(load_now())))
            self.run.setText("   ".join(of_run(self._model, self._known)) if self._model else "")


def seconds_of(folder: Path, stages: tuple[str, ...]) -> dict[str, float]:
    """How long ``stages`` took in the newest run into ``folder`` that trained them; for a thread."""
    found: dict[str, float] = {}
    for run in past_runs(folder) if folder.is_dir() else ():
        for name in stages:
            about = run.stages.get(name, {})
            seconds = about.get("seconds")
            if name not in found and about.get("state") == RunState.DONE and isinstance(seconds, (int, float)):
                found[name] = float(seconds)
    return found
