"""Nodes are laid out when something that they are made of has changed, and not otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ryvencore_qt.src.flows.nodes.NodeGUI import NodeGUI
from ryvencore_qt.src.flows.nodes.NodeItemWidget import NodeItemWidget

from ryven_llm_nodes.host.versions import CORE_QT, workaround


@workaround(CORE_QT)
def laid_out_once() -> None:
    """flows/nodes/NodeItemWidget.py:156: a node is taken apart and laid out again whenever anybody asks for its shape.

    That is three times until it is first painted. What its own code asks for is done in any case.
    """
    update, ask = NodeItemWidget.update_shape, NodeGUI.update_shape

    def update_shape(self: NodeItemWidget) -> None:
        if not _is_laid_out(self):
            update(self)
            self._llm_parts = _parts(self)

    def asked(self: NodeGUI) -> None:
        self.item.widget._llm_parts = None
        ask(self)

    NodeItemWidget._llm_parts = None
    NodeItemWidget.update_shape, NodeGUI.update_shape = update_shape, asked


@workaround(CORE_QT)
def a_new_layout_is_not_taken_apart() -> None:
    """flows/nodes/NodeItemWidget.py:126: the layout of a new node, in which all its ports are, is thrown away."""
    rebuild, collapse = NodeItemWidget.rebuild_ui, NodeItemWidget.collapse

    def rebuild_ui(self: NodeItemWidget) -> None:
        is_new, self._llm_is_new = self._llm_is_new, False
        self._llm_parts = None
        if not is_new:
            rebuild(self)
        elif self.node_item.main_widget:
            self.add_main_widget_to_layout()

    def collapsed(self: NodeItemWidget) -> None:
        self._llm_is_new = False
        collapse(self)

    NodeItemWidget._llm_is_new = True
    NodeItemWidget.rebuild_ui, NodeItemWidget.collapse = rebuild_ui, collapsed


def _is_laid_out(widget: NodeItemWidget) -> bool:
    return widget._llm_parts is not None and widget._llm_parts == _parts(widget)


def _parts(widget: NodeItemWidget) -> tuple[Any, ...]:
    """What the layout of a node depends on."""
    item, title = widget.node_item, widget.title_label
    main = item.main_widget.size() if item.main_widget is not None else None
    about = item.collapsed, item.initializing, item.session_design.flow_theme.header_padding
    return *about, widget.node_gui.display_title, title.fm, main, *_ports(item)


def _ports(item: Any) -> Iterator[tuple[Any, ...]]:
    for port in (*item.inputs, *item.outputs):
        inner = getattr(port, "widget", None)
        yield port, port.isVisible(), port.label.width, port.label.height, inner is not None and inner.size()
