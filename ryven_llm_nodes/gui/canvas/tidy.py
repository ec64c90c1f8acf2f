"""Automatic layout of a flow: columns as given, without overlaps, all nodes in view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt

from ryven_llm_nodes.gui.canvas.annotations import wrap
from ryven_llm_nodes.gui.canvas.columns import Size, placed, stacked
from ryven_llm_nodes.host.annotations import items_on
from ryven_llm_nodes.host.navigation import set_scale
from ryven_llm_nodes.host.undo import push_undo

LEFT, TOP = 1000.0, 1000.0
SMALLEST: Final = 0.2


def tidy(view: Any) -> None:
    """Gives every column of nodes the width it needs, and every node its own place in its column."""
    items = sorted(view.node_items.values(), key=lambda item: (item.pos().x(), item.pos().y()))
    columns = groupby(range(len(items)), key=lambda i: round(items[i].pos().x()))
    corners = stacked([list(column) for _, column in columns], _sizes(items))
    _mover(view, items)(_centres(items, [corners[i] for i in range(len(items))]))


def arrange(view: Any) -> None:
    """Lays all nodes out by their wires, as large as they can be seen together; one command of undo."""
    items, size = list(view.node_items.values()), view.viewport().size()
    if not items:
        return
    heights = [item.pos().y() for item in items]
    corners = placed(_sizes(items), _wires(view), heights, (size.width(), size.height()))
    before, after, move = [item.pos() for item in items], _centres(items, corners), _mover(view, items)
    push_undo(view, "Tidy", lambda: move(before), lambda: move(after))


def _mover(view: Any, items: Sequence[Any]) -> Callable[[Sequence[QPointF]], None]:
    """Moves ``items`` to their places; the groups around them follow."""
    groups = {group: members for group in items_on(view) if (members := group.carries())}

    def move(places: Sequence[QPointF]) -> None:
        for item, place in zip(items, places, strict=True):
            item.setPos(place)
        for group, members in groups.items():
            wrap(group, members)

    return move


def _sizes(items: Iterable[Any]) -> list[Size]:
    return [(rect.width(), rect.height()) for rect in (item.boundingRect() for item in items)]


def _centres(items: Sequence[Any], corners: Sequence[Size]) -> list[QPointF]:
    """Where nodes are whose upper left corners are there: the place of a node is its centre."""
    both = zip(_sizes(items), corners, strict=True)
    return [QPointF(LEFT + x + width / 2, TOP + y + height / 2) for (width, height), (x, y) in both]


def _wires(view: Any) -> list[tuple[int, int]]:
    """The wires of a flow, by the numbers of the nodes that they connect."""
    number = {node: i for i, node in enumerate(view.node_items)}
    pairs = ((out.node, inp.node) for out, inputs in view.flow.graph_adj.items() for inp in inputs)
    return [(number[source], number[target]) for source, target in pairs]


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
