"""The palette: every node, grouped by family, searchable by name and purpose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from qtpy.QtCore import QMimeData, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget
from ryvencore_qt.src.flows.node_list_widget.NodeWidget import NodeWidget

from ryven_llm_nodes.catalogue import ALL_NODES, GROUPS, LLMNode
from ryven_llm_nodes.gui.style.colours import FAINT, MUTED
from ryven_llm_nodes.gui.style.families import colour_of
from ryven_llm_nodes.gui.style.fonts import SMALLEST
from ryven_llm_nodes.gui.style.icons import glyph
from ryven_llm_nodes.host.node_list import ranked

NODE: Final = Qt.ItemDataRole.UserRole
OTHERS: Final = "Other packages"


class Palette(QWidget):
    """A search field above a tree of node classes, which are dragged onto the canvas or placed by Enter."""

    chosen = Signal(object)

    def __init__(self, nodes: Iterable[Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = QLineEdit()
        self.search.setObjectName("llm_search")
        self.search.setPlaceholderText("Search nodes ...")
        self.search.setToolTip("By title, or by what they are for: grpo, preference, lora ...")
        self.search.setClearButtonEnabled(True)
        self.tree = _Tree(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self.search)
        layout.addWidget(self.tree)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._take_first)
        self.tree.itemActivated.connect(self._take)
        self.set_nodes(nodes)

    def set_nodes(self, nodes: Iterable[Any]) -> None:
        """Shows ``nodes``: ours by family, all others in one group that is collapsed at first."""
        self.nodes = list(nodes)
        self._filter(self.search.text())

    def shown(self) -> list[Any]:
        """The node classes that are listed, from top to bottom."""
        groups = (self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount()))
        items = (item for group in groups for item in [group, *(group.child(i) for i in range(group.childCount()))])
        return [node for item in items if (node := item.data(0, NODE)) is not None]

    def _filter(self, text: str) -> None:
        self.tree.clear()
        if text.strip():
            for node in ranked(self.nodes, text):
                self.tree.addTopLevelItem(_node_item(node))
            self.tree.setCurrentItem(self.tree.topLevelItem(0))
        else:
            self._fill_groups()

    def _fill_groups(self) -> None:
        groups = {title: [node for node in nodes if node in self.nodes] for title, nodes in GROUPS.items()}
        others = sorted(set(self.nodes) - set(ALL_NODES), key=lambda node: node.title)
        for title, members in {**groups, OTHERS: others}.items():
            if members:
                group = _group_item(title)
                self.tree.addTopLevelItem(group)
                group.addChildren([_node_item(node) for node in members])
                group.setExpanded(title in GROUPS)

    def _take(self, item: QTreeWidgetItem) -> None:
        if (node := item.data(0, NODE)) is not None:
            self.chosen.emit(node)

    def _take_first(self) -> None:
        if self.search.text().strip() and (item := self.tree.currentItem()) is not None:
            self._take(item)


class _Tree(QTreeWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("llm_palette")
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(8)
        self.setIconSize(QSize(18, 18))
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemClicked.connect(self._toggle)

    def _toggle(self, item: QTreeWidgetItem) -> None:
        if item.childCount():
            item.setExpanded(not item.isExpanded())

    def mimeData(self, items: list[QTreeWidgetItem]) -> QMimeData:
        node = items[0].data(0, NODE) if items else None
        return NodeWidget._create_mime_data(node) if node is not None else QMimeData()


def _group_item(title: str) -> QTreeWidgetItem:
    item = QTreeWidgetItem([title.upper()])
    item.setFlags(Qt.ItemFlag.ItemIsEnabled)
    font = QFont()
    font.setPixelSize(SMALLEST)
    font.setWeight(QFont.Weight.DemiBold)
    item.setFont(0, font)
    item.setForeground(0, QColor(MUTED))
    return item


def _node_item(node: Any) -> QTreeWidgetItem:
    item = QTreeWidgetItem([node.title])
    item.setData(0, NODE, node)
    ours = issubclass(node, LLMNode)
    item.setToolTip(0, node.summary() if ours else (node.__doc__ or "").strip())
    if ours and (reason := node.unavailable()):
        item.setForeground(0, QColor(FAINT))
        item.setToolTip(0, f"{node.title} {reason}")
    if ours:
        item.setIcon(0, QIcon(QPixmap.fromImage(glyph(node.icon, colour_of(node)))))
    return item
