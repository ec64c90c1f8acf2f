"""Brings a node to a part of the canvas that nothing lies over: neither the map nor any other widget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.gui.canvas.minimap import Minimap

MARGIN: Final = 80
"""How far from the border a node is brought, in pixels."""
GAP: Final = 12.0


def overlays(view: Any) -> list[QRectF]:
    """The places of what lies over the canvas ``view``, on its viewport."""
    widgets = view.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    over = (widget for widget in widgets if widget.isVisible() and widget is not view.viewport())
    boxes = (QRectF(widget.geometry()).translated(-QPointF(view.viewport().pos())) for widget in over)
    return [box for box in boxes if box.intersects(QRectF(view.viewport().rect()))]


def bring(view: Any, item: Any) -> None:
    """Scrolls ``view`` as little as is needed to see the node ``item``, with nothing over it; not at all if it is."""
    area = QRectF(view.viewport().rect())
    if not area.contains(_box(view, item)):
        view.ensureVisible(item, MARGIN, MARGIN)
    for made in view.findChildren(Minimap):
        made.refresh()  # which it does a moment later otherwise: it may be here from now on
    by = way_out(_box(view, item), area, overlays(view))
    for bar, amount in ((view.horizontalScrollBar(), by.x()), (view.verticalScrollBar(), by.y())):
        bar.setValue(bar.value() - round(amount))


def _box(view: Any, item: Any) -> QRectF:
    return QRectF(view.mapFromScene(item.sceneBoundingRect()).boundingRect())


def way_out(box: QRectF, view: QRectF, over: Sequence[QRectF]) -> QPointF:
    """The shortest way for ``box``, within ``view``, from under all of ``over``; none where there is no such way."""
    ways = sorted(_ways(box, over), key=QPointF.manhattanLength)
    moved = ((by, box.translated(by)) for by in ways)
    free = (by for by, at in moved if view.contains(at) and not any(at.intersects(one) for one in over))
    return next(free, QPointF())


def _ways(box: QRectF, over: Sequence[QRectF]) -> Iterator[QPointF]:
    """To stay, and to just beyond each side of what lies over the canvas."""
    yield QPointF()
    for one in over:
        yield QPointF(one.left() - GAP - box.right(), 0)
        yield QPointF(one.right() + GAP - box.left(), 0)
        yield QPointF(0, one.top() - GAP - box.bottom())
        yield QPointF(0, one.bottom() + GAP - box.top())
