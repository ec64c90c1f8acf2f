"""What is done once while Ryven loads a project, instead of once for each of its nodes.

Imported by what Ryven loads: its window cannot be imported before it has its configuration (gui/code_editor/
codes_storage.py:5 of ryven 3.5.0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ryven.gui.main_window import MainWindow
from ryvencore import Flow
from ryvencore_qt.src.flows.FlowView import FlowView, _SelectionMode

from ryven_llm_nodes.host.versions import CORE_QT, RYVEN, workaround

_dressers: Final[list[Callable[[Any], object]]] = []


def dress_windows(dress: Callable[[Any], object]) -> None:
    """Calls ``dress`` for every window that has its menus, but no project yet."""
    if dress not in _dressers:
        _dressers.append(dress)


@workaround(RYVEN)
def dressed_before_the_project() -> None:
    """gui/main_window.py:128: nothing is called between packages and project.

    A theme that is set later lays out every node and wire of the project again.
    """
    original = MainWindow.import_packages

    def import_packages(self: Any, packages: Any) -> None:
        original(self, packages)
        for dress in _dressers:
            dress(self)

    MainWindow.import_packages = import_packages


@workaround(CORE_QT)
def selected_once() -> None:
    """flows/FlowView.py:1027: each node that is loaded is selected, which tells every panel; the last one stays so."""
    init, add = FlowView.__init__, FlowView._add_node_item
    create = Flow._create_nodes_from_data

    def created(self: Flow, data: Any) -> Any:
        self._llm_is_loading = True
        try:
            return create(self, data)
        finally:
            self._llm_is_loading = False

    def made(self: FlowView, *given: Any, **named: Any) -> None:
        init(self, *given, **named)
        self.flow.nodes_created_from_data.sub(lambda nodes: _select_last(self, nodes))

    def add_item(self: FlowView, item: Any, pos: Any = None) -> None:
        if not getattr(self.flow, "_llm_is_loading", False):
            add(self, item, pos)
            return
        self.node_items[item.node] = item
        self.scene().addItem(item)
        if pos:
            item.setPos(pos)

    Flow._create_nodes_from_data, FlowView.__init__, FlowView._add_node_item = created, made, add_item


def _select_last(view: FlowView, nodes: list[Any]) -> None:
    view._set_selection_mode(_SelectionMode.INSTANT)
    if nodes:
        view.clear_selection()
        view.node_items[nodes[-1]].setSelected(True)
