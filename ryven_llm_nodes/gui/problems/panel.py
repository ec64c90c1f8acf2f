"""Everything that was found in a flow, in one list; a click leads to the node and the field."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ryven_llm_nodes.errors import WEIGHTS, Problem
from ryven_llm_nodes.gui.canvas.marks import COLOURS
from ryven_llm_nodes.gui.state.flow_state import FlowState
from ryven_llm_nodes.gui.style.families import title_of
from ryven_llm_nodes.gui.style.icons import glyph
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE

REFRESH_MS: Final = 80
NOTHING: Final = "Nothing was found. Check (F6) reads rows, tokenizers and models as well."
PLACE: Final = Qt.ItemDataRole.UserRole

Place = tuple[Any, Problem]
"""A node, and what was found at it."""


class ProblemsPanel(QWidget):
    """The findings of the flow of ``state``, the most severe first."""

    chosen = Signal(object, str)
    """A finding was chosen: its node, and the name of its parameter or port."""

    def __init__(self, state: FlowState) -> None:
        super().__init__()
        self.state = state
        self.setObjectName("panel")
        self.setStyleSheet(PANEL_STYLE)
        self.list = QTreeWidget()
        self.list.setHeaderLabels(["Node", "Field", "Finding and remedy"])
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, width in enumerate((150, 130)):
            self.list.setColumnWidth(column, width)
        self.list.itemClicked.connect(self._go)
        self.list.itemActivated.connect(self._go)
        self.nothing = QLabel(NOTHING)
        self.nothing.setProperty("role", "muted")
        self.nothing.setWordWrap(True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.nothing)
        column.addWidget(self.list)
        self._later = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._later.timeout.connect(self.refresh)
        state.changed.connect(self._later.start)
        self.refresh()

    def places(self) -> list[Place]:
        """What was found, in the order in which it is listed: by weight, then from left to right on the canvas."""
        nodes = [node for node in self.state.flow.nodes if node in self.state.findings]
        nodes.sort(key=lambda node: (node.gui.item.pos().x(), node.gui.item.pos().y()))
        found = [(node, one) for node in nodes for one in self.state.findings[node]]
        return sorted(found, key=lambda place: WEIGHTS.index(place[1].weight))

    def refresh(self) -> None:
        """Lists what is known now."""
        places = self.places()
        if places == [self._place(item) for item in self._items()]:
            return
        kept = self.list.currentItem()
        current = self._place(kept) if kept is not None else None
        self.list.clear()
        for place in places:
            item = _item(*place)
            self.list.addTopLevelItem(item)
            if place == current:
                self.list.setCurrentItem(item)
        self.list.setVisible(bool(places))
        self.nothing.setVisible(not places)

    def step(self, by: int) -> bool:
        """Goes to the next finding (``by`` 1) or the previous one (-1), and round. False if there is none."""
        self.refresh()
        items = self._items()
        if not items:
            return False
        current = self.list.currentItem()
        before = items.index(current) if current in items else (-1 if by > 0 else 0)
        item = items[(before + by) % len(items)]
        self.list.setCurrentItem(item)
        self._go(item)
        return True

    def _items(self) -> list[QTreeWidgetItem]:
        return [self.list.topLevelItem(i) for i in range(self.list.topLevelItemCount())]

    def _place(self, item: QTreeWidgetItem) -> Place:
        return item.data(0, PLACE)

    def _go(self, item: QTreeWidgetItem) -> None:
        node, problem = self._place(item)
        self.chosen.emit(node, problem.parameter)


def _item(node: Any, problem: Problem) -> QTreeWidgetItem:
    item = QTreeWidgetItem([title_of(node), problem.parameter, f"{problem.weight}: {problem.message}"])
    colour = COLOURS[problem.weight][0]
    item.setIcon(0, QIcon(QPixmap.fromImage(glyph("bad", colour))))
    item.setForeground(2, QColor(colour))
    item.setToolTip(2, problem.message)
    item.setData(0, PLACE, (node, problem))
    return item
