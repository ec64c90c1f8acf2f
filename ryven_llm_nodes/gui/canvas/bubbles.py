"""Places the bubbles of a canvas: inside the view, off the ports of all nodes, and off each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, QSizeF, QTimer

SETTLE_MS: Final = 30
GAP: Final = 6.0
EDGE: Final = 4.0
PIN: Final = 16.0
"""The square around a pin that stays free, in pixels of the screen."""
WEIGHTS: Final = {"pin": 60.0, "bubble": 8.0, "node": 1.0}
"""How bad it is to cover something, per pixel of it that is covered."""


class Bubbles(QObject):
    """Keeps the bubbles of ``view`` in place while it is scrolled, zoomed and resized, and nodes are moved."""

    def __init__(self, view: Any) -> None:
        super().__init__(view)
        self._view = view
        self._marks: list[Any] = []
        self._later = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._later.timeout.connect(self.place_all)
        view.viewport().installEventFilter(self)
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            bar.valueChanged.connect(lambda _: self._later.start())

    def add(self, mark: Any) -> None:
        """The bubble of ``mark`` is placed from now on."""
        self._marks.append(mark)
        self._later.start()

    def remove(self, mark: Any) -> None:
        """The bubble of ``mark`` is no longer there."""
        if mark in self._marks:
            self._marks.remove(mark)

    def move_soon(self) -> None:
        """Something has moved."""
        self._later.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Wheel):
            self._later.start()
        return False

    def place_all(self) -> None:
        """Gives every bubble the best place that there is, from left to right."""
        shown = [mark for mark in self._marks if mark.isVisible() and mark.scene() is not None]
        if not shown:
            return
        nodes = {item: self._on_screen(item.sceneBoundingRect()) for item in self._view.node_items.values()}
        pins = [self._pin(pin) for item in nodes for pin in _pins(item)]
        taken: list[QRectF] = []
        for mark in sorted(shown, key=lambda mark: nodes[mark.parentItem()].left()):
            own = nodes[mark.parentItem()]
            others = [rect for item, rect in nodes.items() if item is not mark.parentItem()]
            box = best(own, mark.bubble.size, QRectF(self._view.viewport().rect()), pins, taken, others)
            taken.append(box)
            mark.bubble.setPos(self._view.mapToScene(box.topLeft().toPoint()))
        self._view.viewport().update()  # Qt repaints only a part of an item that ignores the zoom and has changed

    def _on_screen(self, rect: QRectF) -> QRectF:
        return QRectF(self._view.mapFromScene(rect).boundingRect())

    def _pin(self, pin: Any) -> QRectF:
        centre = QPointF(self._view.mapFromScene(pin.get_scene_center_pos()))
        return QRectF(centre - QPointF(PIN, PIN) / 2, QSizeF(PIN, PIN))


def _pins(item: Any) -> Iterator[Any]:
    return (port.pin for port in (*item.inputs, *item.outputs))


def best(
    node: QRectF, size: QSizeF, view: QRectF, pins: Iterable[QRectF], taken: Iterable[QRectF], nodes: Iterable[QRectF]
) -> QRectF:
    """The box of a bubble of ``size`` at ``node`` that covers least; below the node where that is as good as elsewhere.

    All are rectangles on the screen. The bubble of a node that is out of view stays at its node.
    """
    pins, taken, nodes = list(pins), list(taken), list(nodes)
    boxes = [_inside(QRectF(place, size), view) if view.intersects(node) else QRectF(place, size)
             for place in _candidates(node, size)]  # fmt: skip
    costs = [_cost(box, pins, taken, nodes) + _area(box, node) * WEIGHTS["node"] for box in boxes]
    return boxes[costs.index(min(costs))]


def _candidates(node: QRectF, size: QSizeF) -> Iterator[QPointF]:
    """Places around a node, the usual ones first."""
    below, above = node.bottom() + GAP, node.top() - GAP - size.height()
    lefts = (node.left(), node.right() - size.width(), node.center().x() - size.width() / 2)
    yield from (QPointF(left, below) for left in lefts)
    yield from (QPointF(left, above) for left in lefts)
    for top in (node.top(), node.bottom() - size.height()):
        yield QPointF(node.right() + PIN, top)
        yield QPointF(node.left() - PIN - size.width(), top)
    for step in (1, 2, 3):  # further away
        yield QPointF(node.left(), below + step * size.height())
        yield QPointF(node.left(), above - step * size.height())


def _inside(box: QRectF, view: QRectF) -> QRectF:
    """``box``, moved into ``view`` as far as it has room there."""
    left = min(max(box.left(), view.left() + EDGE), max(view.right() - EDGE - box.width(), view.left() + EDGE))
    top = min(max(box.top(), view.top() + EDGE), max(view.bottom() - EDGE - box.height(), view.top() + EDGE))
    return QRectF(QPointF(left, top), box.size())


def _cost(box: QRectF, pins: list[QRectF], taken: list[QRectF], nodes: list[QRectF]) -> float:
    parts = {"pin": pins, "bubble": taken, "node": nodes}
    return sum(WEIGHTS[kind] * sum(_area(box, rect) for rect in rects) for kind, rects in parts.items())


def _area(one: QRectF, other: QRectF) -> float:
    shared = one.intersected(other)
    return max(shared.width(), 0.0) * max(shared.height(), 0.0)


def bubbles_of(view: Any) -> Bubbles:
    """What places the bubbles of ``view``; created when it is first needed."""
    return view.findChild(Bubbles) or Bubbles(view)
