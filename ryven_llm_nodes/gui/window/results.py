"""What can be done with the model of a stage once it is done: talk to it, measure it, train it further."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QMessageBox

from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.state.flow_state import CHAT, EVALUATE, OPEN_FOLDER, USE, FlowState
from ryven_llm_nodes.gui.state.overlay import read_over
from ryven_llm_nodes.gui.window.chatting import Chatting
from ryven_llm_nodes.gui.window.starting import Starting
from ryven_llm_nodes.importing.results import evaluation_of, flow_with
from ryven_llm_nodes.program import Graph, read_live_flow
from ryven_llm_nodes.run.chat.models import ChatModel
from ryven_llm_nodes.run.records.history import PastRun

if TYPE_CHECKING:
    from ryven_llm_nodes.gui.history.after import Afterwards


class Results:
    """Begins flows in the window of ``document``, and opens the chat."""

    def __init__(
        self, document: Document, starting: Starting, chatting: Chatting, state: Callable[[], FlowState | None]
    ) -> None:
        """``state`` gives that of the flow in front."""
        self._document, self._starting, self._chatting, self._state = document, starting, chatting, state

    def afterwards(self) -> Afterwards:
        """The commands for the run history."""
        from ryven_llm_nodes.gui.history.after import Afterwards

        return Afterwards(self.chat, self.evaluate, self.use, self.open_folder, self.draw)

    def chat(self, model: Path, title: str) -> None:
        """Talks to the model in the folder ``model``."""
        self._chatting.show(ChatModel(title, str(model)))

    def evaluate(self, run: PastRun, stage: str, model: Path) -> None:
        """A flow that measures ``model``, which ``stage`` of ``run`` has left, on the rows of that stage."""
        self._evaluate(run.graph, stage, model)

    def _evaluate(self, graph: Callable[[], Graph], stage: str, model: Path) -> None:
        try:
            project = evaluation_of(graph(), stage, model, self._document.folder)
        except FlowError as error:  # a node of another version, or two of one name
            QMessageBox.warning(self._document.window, "Not evaluated", str(error))
            return
        self._begin(project)

    def of_node(self, state: FlowState, node: Any, what: str) -> None:
        """Does ``what`` with what ``node``, of the flow of ``state``, has left."""
        stage = state.stage(node)
        if stage is None:
            return
        folder = Path(stage.folder)
        does: Mapping[str, Callable[[], object]] = {
            CHAT: lambda: self.chat(folder, stage.step),
            EVALUATE: lambda: self._evaluate(
                lambda: read_live_flow(node.flow, self._document.folder), stage.step, folder
            ),
            USE: lambda: self.use(folder, stage.step),
            OPEN_FOLDER: lambda: self.open_folder(folder),
        }
        does[what]()

    def use(self, model: Path, name: str) -> None:
        """A flow that begins with ``model``."""
        self._begin(flow_with(model, name, self._document.folder))

    def _begin(self, project: dict[str, object]) -> None:
        self._starting.use(project)
        self._document.window.raise_()
        self._document.window.activateWindow()

    def draw(self, runs: Sequence[PastRun]) -> None:
        """Draws the curves of ``runs`` over those of the flow in front."""
        if (state := self._state()) is not None:
            background().start(lambda: read_over(runs), state.model, state.model.lay_over)

    @staticmethod
    def open_folder(folder: Path) -> None:
        """Shows ``folder`` in the system's file manager."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
