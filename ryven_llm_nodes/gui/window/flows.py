"""The flows of the window: handling of new and deleted ones, and which one is in front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.canvas import annotations, in_view, minimap, tidy
from ryven_llm_nodes.gui.canvas.fitting import fitting_of
from ryven_llm_nodes.gui.inspector.stack import InspectorStack
from ryven_llm_nodes.gui.state.edits import bypass
from ryven_llm_nodes.gui.state.flow_state import FlowState, flow_state
from ryven_llm_nodes.gui.window.layout import dress_flow
from ryven_llm_nodes.host.arranging import align, can_insert, duplicate, insert_on
from ryven_llm_nodes.host.canvas import late_view, place_node
from ryven_llm_nodes.host.navigation import search
from ryven_llm_nodes.host.undo import one_command


class Flows(QObject):
    """The flows of ``window``; ``folder`` gives the one that relative paths are looked up in."""

    adopted = Signal(object, object)
    """A flow was adopted: its state and its canvas."""
    deleted = Signal(object)
    """A flow was deleted: its state."""
    changed = Signal()
    """A flow was created, renamed or deleted, which cannot be undone."""
    shown = Signal(object)
    """The tab of a flow came to the front: its state."""

    flushing = Signal()
    """Pending edits are to be committed."""

    def __init__(self, window: Any, folder: Callable[[], Path], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window, self._folder = window, folder
        self.inspectors: dict[Any, InspectorStack] = {}
        self._first: list[Any] = []

    def begin(self) -> None:
        """Adopts existing and future flows."""
        gui = self._window.session_gui
        gui.flow_view_created.connect(self._made)
        gui.flow_deleted.connect(self._deleted)
        gui.flow_renamed.connect(self._renamed)
        self._window.ui.flows_tab_widget.currentChanged.connect(self._show_tab)
        self._first = list(self._window.core_session.flows)
        for flow in self._first:
            self._adopt(flow, gui.flow_views[flow])

    # The flow in front

    def current_view(self) -> Any | None:
        """The canvas of the tab in front."""
        return self._window.session_gui.flow_views.get(self.current_flow())

    def current_flow(self) -> Any | None:
        """The flow of the tab in front."""
        tab = self._window.ui.flows_tab_widget.currentWidget()
        return getattr(tab, "flow", None)

    def current_state(self) -> FlowState | None:
        """The state of the flow of the tab in front."""
        flow = self.current_flow()
        return flow_state(flow) if flow is not None else None

    def show_all(self) -> None:
        """Shows all nodes of the flow in front."""
        if (view := self.current_view()) is not None:
            fitting_of(view).fit()

    def tidy(self) -> None:
        """Lays out the flow in front by its wires."""
        if (view := self.current_view()) is not None:
            tidy.arrange(view)
            fitting_of(view).fit()

    def place(self, node: type) -> None:
        """Places a node of the class ``node`` on the canvas in front."""
        if (view := self.current_view()) is not None:
            wires = [item for item in view.connection_items.values() if item.isSelected()]
            if len(wires) == 1 and can_insert(node, wires[0]):
                insert_on(view, node, wires[0])
            else:
                place_node(view, node)
            view.setFocus()

    def search(self) -> None:
        """Opens the list of nodes on the canvas in front."""
        if (view := self.current_view()) is not None:
            search(view)

    def switch_map(self) -> None:
        """Turns the map of the canvas on or off."""
        if (view := self.current_view()) is not None:
            minimap.switch(view)

    def group(self) -> None:
        """Draws a group around the selected nodes of the flow in front, and asks for its title."""
        if (view := self.current_view()) is not None:
            annotations.group(view)

    def note(self) -> None:
        """Puts a note at the pointer on the canvas in front, to be written at once."""
        if (view := self.current_view()) is not None:
            annotations.note(view)

    def duplicate(self) -> None:
        """Duplicates what is selected in the flow in front."""
        if (view := self.current_view()) is not None:
            duplicate(view)

    def bypass(self) -> None:
        """Lets the flow in front go past the selected nodes; through them again where all are bypassed."""
        if (view := self.current_view()) is None:
            return
        nodes = [node for node in view.selected_nodes() if isinstance(node, LLMNode)]
        past = not all(node.bypassed for node in nodes)
        with one_command(view, "Bypass" if past else "Use again"):
            for node in nodes:
                bypass(node, past)

    def align(self, how: str) -> None:
        """Aligns what is selected in the flow in front."""
        if (view := self.current_view()) is not None:
            align(view, how)

    def show_selected(self) -> None:
        """Shows the selected nodes of the flow in front as large as they fit; all of them if none is selected."""
        if (view := self.current_view()) is not None:
            items = view.selected_node_items()
            tidy.fit(view, items) if items else fitting_of(view).fit()

    def show_field(self, node: Any, name: str) -> None:
        """Selects ``node``, brings it into view, and its field ``name`` in the inspector, which takes the keys."""
        view = self._window.session_gui.flow_views.get(node.flow)
        if view is None or node not in view.node_items:
            return
        item = view.node_items[node]
        view.select_items([item])
        in_view.bring(view, item)
        QTimer.singleShot(0, view, lambda: node in view.node_items and in_view.bring(view, item))  # docks have moved
        inspector = self.inspectors[node.flow]
        inspector.show_node()
        self._window.flow_UIs[node.flow].ui.inspector_dock.raise_()
        if isinstance(node, LLMNode):
            self._window.activateWindow()
            QTimer.singleShot(0, inspector, lambda: inspector.panel(node).go_to(name))

    def empty_flow(self, title: str) -> Any:
        """The flow in front if it has no nodes, else a new one; called ``title``, as far as that is free."""
        session, flow = self._window.core_session, self.current_flow()
        is_used = flow is None or bool(flow.nodes)
        taken = {one.title for one in session.flows if is_used or one is not flow}
        names = (title if count == 1 else f"{title} {count}" for count in range(1, len(taken) + 2))
        free = next(name for name in names if name not in taken)
        if is_used:
            made = session.create_flow(free)
            tabs = self._window.ui.flows_tab_widget
            QTimer.singleShot(0, self, lambda: tabs.setCurrentIndex(tabs.count() - 1))
            return made
        session.rename_flow(flow, free)
        return flow

    # All flows

    def stacks(self) -> Iterator[Any]:
        """The undo stacks."""
        return (view._undo_stack for view in self._window.session_gui.flow_views.values())

    def flush(self) -> None:
        """Commits pending edits."""
        for inspector in self.inspectors.values():
            inspector.flush()
        self.flushing.emit()

    def are_empty(self) -> bool:
        """Whether there is no node in any flow."""
        return not any(flow.nodes for flow in self._window.core_session.flows)

    def untouched(self) -> list[str]:
        """The titles of the flows that were there at the beginning, and were neither changed nor run since."""
        views = self._window.session_gui.flow_views
        first = (flow for flow in self._first if flow in self)
        return [f.title for f in first if not views[f]._undo_stack.canUndo() and not flow_state(f).model.stages]

    def __contains__(self, flow: object) -> bool:
        return flow in self._window.core_session.flows

    def _made(self, flow: Any, view: Any) -> None:
        """Ryven gives a new flow its tab a moment later."""
        self.changed.emit()
        QTimer.singleShot(0, self, lambda: self._adopt(flow, view))

    def _renamed(self, flow: Any, title: str) -> None:
        """Its models go to another folder."""
        self.changed.emit()
        flow_state(flow).look_soon()

    def _adopt(self, flow: Any, view: Any) -> None:
        """Adopts a flow of Ryven."""
        if flow not in self._window.flow_UIs:
            return
        late_view(flow, view)
        flow_ui = self._window.flow_UIs[flow]
        dress_flow(flow_ui, view)
        self.inspectors[flow] = InspectorStack(view, flow_ui.inspector_widget, self._folder)
        flow_ui.ui.inspector_dock.setWidget(self.inspectors[flow])
        self.adopted.emit(flow_state(flow), view)
        self._show_tab()

    def _deleted(self, flow: Any) -> None:
        self.deleted.emit(flow_state(flow))
        self.inspectors.pop(flow, None)
        self.changed.emit()
        QTimer.singleShot(0, self, self._show_tab)

    def _show_tab(self, *_: Any) -> None:
        flow = self.current_flow()
        if flow is not None and flow in self:
            self.shown.emit(flow_state(flow))
