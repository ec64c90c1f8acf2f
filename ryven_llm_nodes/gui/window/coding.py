"""Opens the windows of fields that hold code: one per node and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, Signal

from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.state.flow_state import FlowState
from ryven_llm_nodes.gui.window.flows import Flows
from ryven_llm_nodes.gui.window.looking import Looking

NO_CODE: Final = "✗ Edit Code in a Window: select a node that has code, such as a Reward Function."


class Coding(QObject):
    """The windows of ``window``; each closes with its node, its flow, or the project."""

    said = Signal(str)
    """Why there is no window, for the log."""

    def __init__(
        self, window: Any, document: Document, flows: Flows, looking: Looking, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._window, self._document, self._flows, self._looking = window, document, flows, looking
        self.windows: dict[tuple[Any, str], Any] = {}
        flows.adopted.connect(self._watch)
        flows.deleted.connect(self._close_flow)
        flows.flushing.connect(self._flush)

    def _watch(self, state: FlowState, view: Any) -> None:
        state.code_wanted.connect(self.show)
        state.settled.connect(self._close_orphans)

    def show_selected(self) -> None:
        """Shows the code of the selected node."""
        from ryven_llm_nodes.gui.coding.window import code_fields

        state = self._flows.current_state()
        node = state.selection if state is not None else None
        if fields := code_fields(node):
            self.show(node, fields[0])
        else:
            self.said.emit(NO_CODE)

    def show(self, node: Any, name: str) -> None:
        """Brings the window of the field ``name`` of ``node`` to the front; opens it if there is none."""
        if (node, name) not in self.windows:
            self.windows[node, name] = self._open(node, name)
        self.windows[node, name].come_forward()

    def _open(self, node: Any, name: str) -> Any:
        from ryven_llm_nodes.gui.coding.window import CodeFieldWindow  # the editor opens sooner

        self._flush()  # what is being typed in the inspector, too
        look = self._looking
        made = CodeFieldWindow(node, name, self._folder, look.bench, look.trainers, self._window)
        made.ended.connect(lambda: self._forget(node, name))
        return made

    def _folder(self) -> Path:
        return self._document.folder

    def _flush(self) -> None:
        for window in self.windows.values():
            window.flush()

    def _forget(self, node: Any, name: str) -> None:
        if window := self.windows.pop((node, name), None):
            window.deleteLater()

    def _close_orphans(self, flow: Any) -> None:
        self._close([key for key in self.windows if key[0].flow is flow and key[0] not in flow.nodes])

    def _close_flow(self, state: FlowState) -> None:
        self._close([key for key in self.windows if key[0].flow is state.flow])

    def _close(self, keys: list[tuple[Any, str]]) -> None:
        for key in keys:
            self.windows[key].close()

    def end(self) -> None:
        """Closes all windows."""
        self._close(list(self.windows))
