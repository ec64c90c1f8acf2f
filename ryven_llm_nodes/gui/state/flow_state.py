"""The state of a flow that Ryven does not have: its runs, which of them are stale, and its problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, QTimer, Signal

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import FlowError, Problem, by_weight
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.gui.state.edits import changed_signal
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.program import Graph, read_live_flow
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.store.decisions import Decision

SETTLE_MS: Final = 150
CHANGED: Final = {
    RunState.DONE: RunState.STALE,
    RunState.REUSED: RunState.STALE,
    RunState.FAILED: RunState.READY,
    RunState.CANCELLED: RunState.READY,
}
"""The state of a node after it has changed."""

UNTIL_RESUMED: Final = (RunState.READY, RunState.STALE, RunState.CANCELLED)
"""The states of a node of which it is said that its training can be resumed; one that failed stays failed."""

_MarkKey = tuple[LLMNode, str, str]


def _key(node: LLMNode, problem: Problem) -> _MarkKey:
    """What identifies a mark; values in a remedy may not be hashable."""
    return node, problem.parameter, problem.message


CHAT, EVALUATE, USE, OPEN_FOLDER = AFTER = ("Chat", "Evaluate Model", "Use in New Flow", "Open Folder")
"""What can be done with what a stage has left."""


class FlowState(QObject):
    """Runs and problems of the nodes of ``flow``.

    :class:`RunModel` identifies a stage by the name that it had when it was run. Nodes are renamed, deleted, and
    restored while stages run, so this class remembers which node a name referred to.
    """

    changed = Signal()
    """The display of a node may have changed."""
    resumable_changed = Signal()
    """It is known of other nodes, or of none, that the next run resumes them, and where."""
    run_wanted = Signal(object, object)
    """The flow is to be run up to a node, from the canvas."""
    result_wanted = Signal(object, object, str)
    """Something is to be done with what a node has left: this state, the node, and what (:data:`AFTER`)."""
    code_wanted = Signal(object, str)
    """The code of a node is to be edited in a window: the node, and its parameter."""
    vary_wanted = Signal(object, str)
    """A parameter is to be varied in a sweep: the node, and the parameter."""
    sweep_wanted = Signal(object)
    """The sweep that a node describes is to be shown."""
    script_wanted = Signal(object)
    """The script of the flow is to be shown."""
    selected = Signal(object)
    """A node was selected, or None."""
    settled = Signal(object)
    """The flow was changed a moment ago, or its marks: it is worth another look."""

    def __init__(self, flow: Any) -> None:
        super().__init__()
        self.flow = flow
        self.model = RunModel(self)
        self.selection: Any = None
        self.findings: dict[LLMNode, tuple[Problem, ...]] = {}
        """What the last check, or the run, has found at each node."""
        self.incomplete: frozenset[LLMNode] = frozenset()
        """The nodes that cannot run as they are drawn now."""
        self.resumes: dict[LLMNode, Decision] = {}
        """Where the next run resumes a node."""
        self._basis: dict[_MarkKey, str] = {}
        self._drawn: set[_MarkKey] = set()
        self._ran: dict[LLMNode, tuple[str, str]] = {}
        self._now: dict[LLMNode, str] = {}
        self._settle = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._settle.timeout.connect(self._compare)
        self._settle.start()
        # Deferred: this may be called by such an event, while ryvencore iterates over its subscribers.
        QTimer.singleShot(0, self, self._subscribe)
        changed_signal.connect(self._edited)
        self.model.found.connect(lambda problem: self.show_problems([problem]))
        for signal in (self.model.stage_changed, self.model.metrics_added):
            signal.connect(lambda _: self.changed.emit())

    def select(self, node: Any) -> None:
        """The user has selected ``node``, or nothing."""
        self.selection = node
        self.selected.emit(node)

    # Runs

    def begin(self, drawn: Drawn) -> None:
        """Starts a run of ``drawn``, just read from this flow."""
        self._ran = {node: ran for node, ran in self._ran.items() if ran[0] not in drawn.nodes}
        began = {node: (name, drawn.graph.upstream([name]).digest) for name, node in drawn.nodes.items()}
        self._ran |= began
        self._now |= {node: digest for node, (_, digest) in began.items()}
        self.clear_problems()

    def ran_as(self, graph: Graph) -> None:
        """What runs is ``graph``, which may have other values than what is drawn."""
        known = ((node, name) for node, (name, _) in self._ran.items() if name in graph.by_name)
        self._ran |= {node: (name, graph.upstream([name]).digest) for node, name in known}
        self.changed.emit()

    def step_of(self, node: LLMNode) -> str | None:
        """The name under which ``node`` was last run."""
        return self._ran[node][0] if node in self._ran else None

    def node_of(self, step: str) -> LLMNode | None:
        """The node that was last run as ``step``."""
        return next((node for node, (name, _) in self._ran.items() if name == step), None)

    def named(self, step: str) -> LLMNode | None:
        """The node that was last run as ``step``, else the one of that name."""
        nodes = (node for node in self.flow.nodes if isinstance(node, LLMNode) and node.name == step)
        return self.node_of(step) or next(nodes, None)

    def stage(self, node: LLMNode) -> StageRun | None:
        """The last run of ``node``."""
        return self.model.stages.get(self.step_of(node) or "")

    def state(self, node: LLMNode) -> RunState:
        """The state of ``node``."""
        state = self._state_by_runs(node)
        return RunState.RESUMABLE if node in self.resumes and state in UNTIL_RESUMED else state

    def _state_by_runs(self, node: LLMNode) -> RunState:
        """Its state as far as the runs of this session tell."""
        stage = self.stage(node)
        if stage is None:
            wrong = node in self.incomplete or any(one.weight == "error" for one in self.findings.get(node, ()))
            return RunState.WRONG if wrong else RunState.READY
        if self._now.get(node) == self._ran[node][1]:
            return stage.state
        return CHANGED.get(stage.state, stage.state)

    def show_resumable(self, found: Mapping[LLMNode, Decision]) -> None:
        """Shows which nodes the next run would resume, and where."""
        if found != self.resumes:
            self.resumes = dict(found)
            self.resumable_changed.emit()
            self.changed.emit()

    # What makes results stale

    def look_soon(self) -> None:
        """Something has changed that is no part of the flow, such as what a run has left."""
        self._settle.start()

    def _subscribe(self) -> None:
        flow = self.flow
        for event in (flow.connection_added, flow.connection_removed, flow.node_added, flow.node_removed):
            event.sub(self._flow_changed)

    def _flow_changed(self, *_: Any) -> None:
        self._settle.start()

    def _edited(self, node: LLMNode) -> None:
        if node.flow is self.flow:
            self.findings.pop(node, None)
            if self.resumes.pop(node, None):
                self.resumable_changed.emit()
            self._settle.start()
            self.changed.emit()

    def _compare(self) -> None:
        """Compares the meaning of every node that has run with its meaning then."""
        self.settled.emit(self.flow)
        if self._ran:
            try:
                drawn = Drawn.of(read_live_flow(self.flow, Path()), self.flow)
            except FlowError:
                return  # two nodes with the same name: the next check reports it
            steps = {node: name for name, node in drawn.nodes.items()}
            self._now = {node: drawn.graph.upstream([steps[node]]).digest for node in self._ran if node in steps}
        self.changed.emit()

    # Problems

    def show_problems(self, problems: Iterable[Problem], drawn: Drawn | None = None) -> None:
        """Marks the nodes of ``problems`` that are still there; ``drawn`` tells which node a name refers to."""
        for problem in problems:
            node = self._node_of(problem, drawn)
            if node is not None and node in self.flow.nodes:
                self.findings[node] = tuple(by_weight((*self.findings.get(node, ()), problem)))
                self._basis[_key(node, problem)] = self._meaning(node, drawn)
        self._settle.start()
        self.changed.emit()

    def look_again(self, problems: Iterable[Problem], drawn: Drawn | None) -> None:
        """Removes marks whose cause is gone: ``problems`` are those of the flow as it is drawn now.

        A finding that only a check can make goes when something changes that its node depends on.
        """
        found = {_key(node, one) for one in problems if (node := self._node_of(one, drawn))}
        for node, marks in list(self.findings.items()):
            kept = tuple(one for one in marks if self._is_valid(node, one, found, drawn))
            if kept != marks:
                self.findings[node] = kept
        self._drawn, self.incomplete = found, frozenset(node for node, *_ in found)
        self.changed.emit()

    def _is_valid(self, node: LLMNode, one: Problem, found: set[_MarkKey], drawn: Drawn | None) -> bool:
        mark = _key(node, one)
        if mark in found or mark in self._drawn:
            return mark in found
        return drawn is None or self._basis.get(mark, "") in ("", self._meaning(node, drawn))

    def _meaning(self, node: LLMNode, drawn: Drawn | None) -> str:
        """What the findings at ``node`` depend on; empty if that is not known."""
        if drawn is None:
            return self._ran[node][1] if node in self._ran else ""
        step = drawn.step_of(node)
        return drawn.graph.upstream([step]).digest if step else ""

    def _node_of(self, problem: Problem, drawn: Drawn | None) -> LLMNode | None:
        known = drawn.nodes if drawn else {}
        return known.get(problem.step) or self.node_of(problem.step) or self._labelled(problem.node)

    def _labelled(self, label: str) -> LLMNode | None:
        """The node with an explicit name and the label ``label``: problems of names have no step."""
        nodes = (node for node in self.flow.nodes if isinstance(node, LLMNode) and node.name)
        return next((node for node in nodes if f"{node.title} {node.name!r}" == label), None)

    def clear_problems(self) -> None:
        """Removes all marks."""
        self.findings, self._basis = {}, {}
        self.changed.emit()


# Never removed: a worker with the last reference to a model would delete a QObject in its own thread.
_states: Final[dict[Any, FlowState]] = {}


def flow_state(flow: Any) -> FlowState:
    """The state of ``flow``; created when it is first needed, in the main thread."""
    if flow not in _states:
        _states[flow] = FlowState(flow)
    return _states[flow]
