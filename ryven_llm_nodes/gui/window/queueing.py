"""Queues the flow in front, and shows the queue."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QMessageBox

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.history.windows import HistoryWindows
from ryven_llm_nodes.gui.queueing.runner import QueueRunner
from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.program import build
from ryven_llm_nodes.run.queueing.queue import Queue, Queued, queued
from ryven_llm_nodes.run.states import in_words

CLOSING = "The queue is running {title!r}. Stop it, and close the window? It stays in the queue, and resumes later."


class Queueing(QObject):
    """The queue of the user, as this window sees it."""

    def __init__(
        self, window: Any, flows: Flows, runs: RunController, history: HistoryWindows, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._window, self._flows, self._runs, self._history = window, flows, runs, history
        self.runner = QueueRunner(Queue(), self)
        self.runner.ended.connect(self._ended)
        self.window: Any = None
        """The window Queue, once it was shown."""

    def add(self) -> bool:
        """Queues the flow in front as it is now; asks at once about its code. False if it cannot be run."""
        self._flows.flush()
        flow = self._flows.current_flow()
        if flow is None:
            return False
        state = flow_state(flow)
        state.clear_problems()
        found = self._runs.allowed(flow)
        if found is None:
            return False
        drawn, output = found
        try:
            build(drawn.graph)
            self.runner.queue.add(queued(drawn.graph, output))
        except LLMNodesError as error:
            self._runs.show_error(drawn, error)
            return False
        self._runs.said.emit(state, f"✓ queued {drawn.graph.title}; LLM > Queue... runs it")
        self._refresh()
        return True

    def show(self) -> None:
        """Shows the queue."""
        if self.window is None:
            from ryven_llm_nodes.gui.queueing.window import QueueWindow

            self.window = QueueWindow(self.runner, self._history.show_runs, self._window)
        self.window.refresh()
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def _ended(self, entry: Queued, status: str) -> None:
        self._history.refresh()
        if (state := self._flows.current_state()) is not None:
            self._runs.said.emit(state, f"queue: {entry.title} {in_words(status)}")

    def _refresh(self) -> None:
        if self.window is not None:
            self.window.refresh()

    def may_close(self) -> bool:
        """Asks before a running queue is stopped by closing the window."""
        if not self.runner.is_running:
            return True
        title = self.runner.current.title if self.runner.current else ""
        buttons = QMessageBox.StandardButton
        question = CLOSING.format(title=title)
        answer = QMessageBox.question(self._window, "Close?", question, buttons.Yes | buttons.No, buttons.No)
        return answer == buttons.Yes
