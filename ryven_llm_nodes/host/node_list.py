"""Fixes the list of nodes that Ryven opens on the canvas (right click, or a wire dropped on nothing)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from qtpy.QtCore import Qt
from ryvencore_qt.src.flows.node_list_widget.NodeListWidget import NodeListWidget
from ryvencore_qt.src.flows.node_list_widget.NodeWidget import NodeWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.host.palette import colour
from ryven_llm_nodes.host.versions import CORE_QT, workaround


def ranked(nodes: Iterable[Any], text: str) -> list[Any]:
    """The nodes that match ``text``, best first: by title, by tag, by description."""
    words = text.lower().split()
    scored = [(score, node) for node in nodes if (score := _score(node, words)) is not None]
    return [node for _, node in sorted(scored, key=lambda pair: pair[0])]


def _score(node: Any, words: list[str]) -> tuple[int, str] | None:
    """Lower is better: the sum of the ranks of all words, or None if one of them matches nothing."""
    title = node.title.lower()
    texts = (title, " ".join(node.tags).lower(), node.summary().lower() if issubclass(node, LLMNode) else "")
    total = 0
    for word in words:
        places = [title.startswith(word), word in node.tags, *(word in text for text in texts)]
        if True not in places:
            return None
        total += places.index(True)
    return total, title


@workaround(CORE_QT)
def search() -> None:
    """flows/node_list_widget/NodeListWidget.py:276: fast typing leaves stray windows (widgets without a parent).

    The ranking by edit distance (utils.py:36) also offers DPO for "grpo" and drops half of all nodes.
    """

    def update_view(self: Any, search_text: str = "") -> None:
        for place in reversed(range(self.list_layout.count())):
            widget = self.list_layout.takeAt(place).widget()
            widget.hide()
        pool = self.nodes if search_text or not self.package_nodes else self.package_nodes
        self.current_nodes[:] = ranked(pool, search_text or "")
        for node in self.current_nodes:
            if node not in self.node_widgets:
                self.node_widgets[node] = self._create_node_widget(node)
            self.list_layout.addWidget(self.node_widgets[node])
            self.node_widgets[node].show()
        if self.current_nodes:
            self._set_active_node_widget_index(0)

    NodeListWidget._update_view = update_view


@workaround(CORE_QT)
def choose() -> None:
    """flows/node_list_widget/NodeListWidget.py:329: a click takes the node by the order of creation, not as shown.

    And line 333: Enter with no result, or a stale index, raises.
    """

    # PySide finds sender() by the slot's name, which is therefore kept
    def _node_widget_chosen(self: Any) -> None:
        node = self.sender().node
        if node in self.current_nodes:
            self._place_node(self.current_nodes.index(node))

    place = NodeListWidget._place_node

    def _place_node(self: Any, index: int) -> None:
        if 0 <= index < len(self.current_nodes):
            place(self, index)

    NodeListWidget._node_widget_chosen, NodeListWidget._place_node = _node_widget_chosen, _place_node


STYLE: Final = f"""
NodeListWidget {{ background: {colour("surface")}; border: 1px solid {colour("border")}; border-radius: 8px }}
NodeListWidget QScrollArea, NodeListWidget QScrollArea > QWidget > QWidget {{ background: {colour("background")};
    border: none }}
NodeListWidget QLineEdit {{ color: {colour("bright")}; background: {colour("field")};
    border: 1px solid {colour("border")}; border-radius: 6px; padding: 4px 8px; font-size: 13px }}
"""
FOCUSED, RESTING = (colour("chosen"), colour("bright")), ("transparent", colour("text"))
ROW: Final = """
NodeWidget { border: none; border-radius: 4px; background: %s }
QLineEdit { color: %s; background: transparent; border: none; padding: 3px 8px; font-size: 13px }
"""


@workaround(CORE_QT)
def plain_rows() -> None:
    """flows/node_list_widget/NodeWidget.py:97: every row is a box with a white border, in a font of 8 points."""

    def update_stylesheet(self: Any) -> None:
        self.setStyleSheet(ROW % (FOCUSED if self.custom_focused else RESTING))

    NodeWidget.update_stylesheet = update_stylesheet


def style_list(widget: NodeListWidget) -> None:
    """Gives the list on the canvas the look of the editor."""
    widget.setStyleSheet(STYLE)
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    widget.search_line_edit.setPlaceholderText("Search nodes ...")
    for layout in (widget.main_layout, widget.search_line_edit.parentWidget().layout()):
        layout.setContentsMargins(6, 6, 6, 6)
    widget.list_scroll_area_widget.setContentsMargins(4, 4, 4, 4)
    widget.list_layout.setSpacing(0)
