"""What the inspector dock shows: the panel of the selected node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QStackedWidget, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.style.colours import MUTED

NOTHING = "Select a node to see and change its settings,\nand its part of the Python script."


class InspectorStack(QStackedWidget):
    """Keeps a panel for every node that was shown, and shows the one of the node selected last.

    ryvencore's own view takes the old panel out of the window and puts the new one in (flows/nodes/NodeInspector.py:49,
    58 of 0.5.0), after which Qt restyles everything in it: a tenth of a second at every click. It is kept for the
    nodes of other packages. ``folder`` gives the one that relative paths are looked up in.
    """

    def __init__(self, view: Any, stock: Any, folder: Callable[[], Path]) -> None:
        super().__init__()
        self._folder = folder
        self._panels: dict[LLMNode, QWidget] = {}
        self._node: Any = None
        self._stock, self._state = stock, flow_state(view.flow)
        self._nothing = _words(NOTHING)
        for page in (self._nothing, stock):
            self.addWidget(page)
        self._later = QTimer(self, interval=0, singleShot=True)
        self._later.timeout.connect(self.show_node)
        view.nodes_selection_changed.disconnect(stock.set_selected_nodes)
        view.nodes_selection_changed.connect(self._selected)
        self._selected(view.selected_nodes())

    def _selected(self, nodes: list[Any]) -> None:
        """Ryven selects every node that it adds: while a project opens, only the last one's panel is needed."""
        self._node = nodes[-1] if nodes else None
        self._later.start()

    def show_node(self) -> None:
        """Shows the node that is selected."""
        node = self._node
        self._state.select(node)
        if node is None:
            self.setCurrentWidget(self._nothing)
        elif isinstance(node, LLMNode):
            self.setCurrentWidget(self.panel(node))
        else:
            self._stock.set_node(node)
            self.setCurrentWidget(self._stock)

    def panel(self, node: LLMNode) -> Any:
        """The panel of ``node``, created when it is first needed."""
        if node not in self._panels:
            from ryven_llm_nodes.gui.inspector.panel import InspectorPanel  # the window opens sooner

            self._panels[node] = InspectorPanel(node, flow_state(node.flow).model, self._root)
            self._panels[node].code_wanted.connect(self._state.code_wanted)
            self._panels[node].vary_wanted.connect(self._state.vary_wanted)
            self.addWidget(self._panels[node])
        return self._panels[node]

    def flush(self) -> None:
        """Commits pending edits."""
        for node, panel in self._panels.items():
            if node in node.flow.nodes:
                panel.flush()

    def _root(self) -> Path:
        return self._folder()


def _words(text: str) -> QLabel:
    label = QLabel(text)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setWordWrap(True)
    label.setStyleSheet(f"color: {MUTED}; font-size: 12px; background: transparent")
    return label
