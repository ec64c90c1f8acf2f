"""The sweep of the flow in front: its window, its runs, and what it writes into the flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QInputDialog

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.running.run_controller import RunController, output_dir
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.gui.state.flow_state import FlowState, flow_state
from ryven_llm_nodes.gui.sweeping.suggested import suggested
from ryven_llm_nodes.gui.sweeping.work import SweepWork, trials_of
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.host.canvas import place_node
from ryven_llm_nodes.host.undo import one_command
from ryven_llm_nodes.program.sweeping.declared import all_declared, describes_sweeps
from ryven_llm_nodes.system.files import write_whole

if TYPE_CHECKING:
    from ryven_llm_nodes.run.sweeping.sweep import Plan, Result

PROMPT: Final = "Values of {name}: several (A,B,C), or a range (LOW..HIGH, LOW..HIGH:log)"


class Sweeping(QObject):
    """Shows and runs what the Sweep nodes of ``flows`` describe. All methods belong to the main thread."""

    said = Signal(str)
    """A line for the log."""
    _came = Signal(object, object)

    def __init__(self, window: Any, flows: Flows, runs: RunController, parent: QObject) -> None:
        super().__init__(parent)
        self._window, self._flows, self._runs = window, flows, runs
        self._drawn: Drawn | None = None
        self._name = ""
        self._shown: tuple[Plan, Result] | None = None
        self._running: tuple[Drawn, str] | None = None
        self.window: Any = None
        """The window Sweep, once it was shown."""
        flows.adopted.connect(self._watch)
        runs.running_changed.connect(lambda _: self._show())
        runs.finished.connect(self._finished)
        self._came.connect(self._went_on)

    def _watch(self, state: FlowState, view: Any) -> None:
        state.sweep_wanted.connect(self.show)
        state.vary_wanted.connect(self.vary)

    # The window

    def show(self, node: LLMNode | None = None) -> None:
        """Shows the sweep that ``node`` describes, or the first of the flow in front."""
        if self.window is None:
            self.window = self._made()
        self._read(node)
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def _made(self) -> Any:
        from ryven_llm_nodes.gui.sweeping.window import SweepWindow  # the editor opens sooner

        made = SweepWindow(self._window)
        made.run_wanted.connect(self.run)
        made.stop_wanted.connect(self._runs.stop)
        made.apply_wanted.connect(self.apply)
        made.page_wanted.connect(self.ask_page)
        made.chosen.connect(lambda name: self._read(None, name))
        return made

    def _read(self, node: LLMNode | None, name: str = "") -> None:
        """Reads the flow in front, and the trials of a sweep of it."""
        self._flows.flush()
        flow = self._flows.current_flow()
        self._drawn = self._runs.snapshot(flow) if flow is not None else None
        names = [one.step.name for one in all_declared(self._drawn.graph)] if self._drawn else []
        wanted = self._drawn.step_of(node) if self._drawn and node is not None else name
        self._name, self._shown = wanted if wanted in names else next(iter(names), ""), None
        self.window.show_names(names, self._name)
        if self._drawn is None or not self._name:
            self.window.show_none()
            return
        graph, name = self._drawn.graph, self._name
        output = output_dir(graph)
        background().start(lambda: _trials(name, graph, output), self, lambda found: self._found(name, found))

    def _found(self, name: str, found: tuple[Plan, Result] | LLMNodesError) -> None:
        if name != self._name:
            return
        if isinstance(found, LLMNodesError):
            self.window.show_none(str(found))
        else:
            self._shown = found
            self._show()

    def _show(self) -> None:
        if self.window is not None and self._shown is not None:
            self.window.show_sweep(*self._shown, self._is_front_running, self._runs.running)

    @property
    def _is_front_running(self) -> bool:
        """Whether the sweep that the window shows is the one that runs."""
        if self._running is None or self._drawn is None:
            return False
        return self._running[0].flow is self._drawn.flow and self._running[1] == self._name

    # Running

    def run(self) -> bool:
        """Runs the trials that are left. False if that is not possible."""
        flow = self._flows.current_flow()
        if flow is None or not self._name:
            return False
        assert self._drawn is not None
        if self._runs.start(flow, SweepWork(self._name, self._runs.isolated, self._came.emit)):
            self._running = self._drawn, self._name
        self._show()
        return self._running is not None

    def _went_on(self, plan: Plan, result: Result) -> None:
        """A trial has begun or ended: nodes are judged by the values that it runs with."""
        if self._running is None:
            return
        if trial := next((trial for trial in result.trials if trial.state == "unfinished"), None):
            flow_state(self._running[0].flow).ran_as(plan.graph(trial.values))
        if self._is_front_running:
            self._shown = plan, result
            self._show()

    def _finished(self, state: FlowState, outcome: Any) -> None:
        self._running = None
        self._show()

    # What it leaves

    def apply(self) -> None:
        """Writes the values of the best trial into the flow, in one step of undo."""
        if self._shown is None or self._drawn is None or self._shown[1].best is None:
            return
        best, nodes = self._shown[1].best, self._drawn.nodes
        with one_command(self._flows.current_view(), "Use Best Values"):
            for name, value in best.values.items():
                step, _, parameter = name.partition(".")
                if nodes[step] in self._drawn.flow.nodes:
                    set_value(nodes[step], parameter, value)
        self.said.emit(f"✓ the values of trial {best.number + 1} are in the flow: {', '.join(best.values)}")

    def ask_page(self) -> None:
        """Asks for a file, and writes the sweep into it as a page."""
        path, _ = QFileDialog.getSaveFileName(self.window, "Save Page", "sweep.html", "HTML (*.html)")
        if path and self._shown is not None:
            from ryven_llm_nodes.run.sweeping.page import page

            write_whole(Path(path), page(*self._shown))
            self.said.emit(f"✓ wrote {path}")

    # What is varied

    def vary(self, node: LLMNode, parameter: str) -> None:
        """Asks for values of ``parameter``, and adds them to the sweep of the flow; makes one if there is none."""
        flow = node.flow
        if (drawn := self._runs.snapshot(flow)) is None or not (step := drawn.step_of(node)):
            return
        name = f"{step}.{parameter}"
        known = node.all_parameters()[parameter]
        given = suggested(known, node.params.get(parameter, known.default))
        text, ok = QInputDialog.getText(self._window, "Vary in a Sweep", PROMPT.format(name=name), text=given)
        if ok and text.strip():
            self._add(drawn, name, text.strip())

    def _add(self, drawn: Drawn, name: str, values: str) -> None:
        view = self._flows.current_view()
        there = (node for node in drawn.nodes.values() if describes_sweeps(type(node)))
        with one_command(view, f"Vary {name}"):
            sweep = next(there, None) or place_node(view, _kind())
            lines = [line for line in str(sweep.params.get("vary", "")).splitlines() if line.strip()]
            kept = [line for line in lines if line.partition("=")[0].strip() != name]
            set_value(sweep, "vary", "\n".join([*kept, f"{name}={values}"]))
        self._flows.show_field(sweep, "vary" if sweep.params.get("metric") else "metric")


def _kind() -> type[LLMNode]:
    """The node that describes a sweep."""
    return next(kind for kind in ALL_NODES if describes_sweeps(kind))


def _trials(name: str, graph: Any, output: Path) -> tuple[Plan, Result] | LLMNodesError:
    try:
        return trials_of(name, graph, output)
    except LLMNodesError as error:
        return error
