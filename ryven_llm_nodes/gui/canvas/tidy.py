"""Automatic layout of a flow: columns as given, without overlaps, all nodes in view."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt

from ryven_llm_nodes.gui.canvas.annotations import wrap
from ryven_llm_nodes.gui.canvas.columns import placed
from ryven_llm_nodes.host.annotations import items_on
from ryven_llm_nodes.host.navigation import set_scale
from ryven_llm_nodes.host.undo import push_undo

LEFT, TOP = 1000.0, 1000.0
GAP_X, GAP_Y = 60.0, 36.0
SMALLEST: Final = 0.2


def tidy(view: Any) -> None:
    """Gives every column of nodes the width it needs, and every node its own place in its column."""
    groups = {item: item.carries() for item in items_on(view)}
    items = sorted(view.node_items.values(), key=lambda item: (item.pos().x(), item.pos().y()))
    left = LEFT
    for _, column in groupby(items, key=lambda item: round(item.pos().x())):
        left = _stack(list(column), left) + GAP_X
    for group, members in groups.items():
        if members:
            wrap(group, members)


def arrange(view: Any) -> None:
    """Lays all nodes out by their wires, as large as they can be seen together; one command of undo."""
    items = list(view.node_items.values())
    if not items:
        return
    rects, size = [item.boundingRect() for item in items], view.viewport().size()
    corners = placed(
        [(rect.width(), rect.height()) for rect in rects],
        _wires(view),
        [item.pos().y() for item in items],
        (size.width(), size.height()),
    )
    before = [item.pos() for item in items]
    after = [QPointF(LEFT + x, TOP + y) - rect.topLeft() for (x, y), rect in zip(corners, rects, strict=True)]
    groups = {item: item.carries() for item in items_on(view)}

    def move(places: list[QPointF]) -> None:
        for item, place in zip(items, places, strict=True):
            item.setPos(place)
            item.update_conn_pos()
        for group, members in groups.items():
            if members:
                wrap(group, members)

    push_undo(view, "Tidy", lambda: move(before), lambda: move(after))


def _wires(view: Any) -> list[tuple[int, int]]:
    """The wires of a flow, by the numbers of the nodes that they connect."""
    number = {node: i for i, node in enumerate(view.node_items)}
    pairs = ((out.node, inp.node) for out, inputs in view.flow.graph_adj.items() for inp in inputs)
    return [(number[source], number[target]) for source, target in pairs]


def _stack(column: list[Any], left: float) -> float:
    """Puts the nodes of one column below each other; returns where the column ends."""
    width = max(item.boundingRect().width() for item in column)
    free = TOP
    for item in column:
        rect = item.boundingRect()
        item.setPos(left + rect.width() / 2, free + rect.height() / 2)
        free += rect.height() + GAP_Y
    return left + width


def fit(view: Any, items: Iterable[Any] = ()) -> None:
    """Zooms to show ``items``, or all nodes, as far as they can be told apart; never beyond their original size."""
    rect = QRectF()
    for item in items or (*view.node_items.values(), *items_on(view)):
        rect = rect.united(item.sceneBoundingRect())
    if rect.isEmpty():
        return
    rect = rect.adjusted(-40, -40, 40, 60)
    size = view.viewport().size()
    scale = min(size.width() / rect.width(), size.height() / rect.height(), 1.0)
    scale = max(scale, SMALLEST)
    view.resetTransform()
    view.scale(scale, scale)
    set_scale(view)
    half = QPointF(size.width(), size.height()) / 2 / scale
    fits = rect.width() <= 2 * half.x(), rect.height() <= 2 * half.y()
    begin = rect.topLeft() + half  # what does not fit is shown from its beginning
    view.centerOn(rect.center().x() if fits[0] else begin.x(), rect.center().y() if fits[1] else begin.y())
    view.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
