"""Places the bubbles of a canvas: inside the view, off all nodes and their ports, and off each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from qtpy.QtCore import QEvent, QLineF, QObject, QPointF, QRectF, QSizeF, QTimer

from ryven_llm_nodes.gui.canvas.in_view import overlays

SETTLE_MS: Final = 30
GAP: Final = 6.0
EDGE: Final = 4.0
PIN: Final = 16.0
"""The square around a pin that stays free, in pixels of the screen."""
STEP: Final = 20
"""How finely the canvas is searched for a place, in pixels."""
MOST: Final = 60
"""With more nodes and bubbles than this in view there is no place worth a search."""
WEIGHTS: Final = {"pin": 60.0, "bubble": 8.0, "over": 8.0, "node": 1.0}
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
        """Gives every bubble the best place that there is, and as many words as have room there, from left to right."""
        shown = [mark for mark in self._marks if mark.isVisible() and mark.scene() is not None]
        if not shown:
            return
        boxes = {item: self._on_screen(item.sceneBoundingRect()) for item in self._view.node_items.values()}
        around = self._around(boxes)
        for mark in sorted(shown, key=lambda mark: boxes[mark.parentItem()].left()):
            node = boxes[mark.parentItem()]
            words, box = placed(node, mark.bubble.sizes, around)
            around.bubbles.append(box)
            mark.bubble.say(words, _gap(box, node))
            mark.bubble.setPos(self._view.mapToScene(box.topLeft().toPoint()))
        self._view.viewport().update()  # Qt repaints only a part of an item that ignores the zoom and has changed

    def _around(self, boxes: dict[Any, QRectF]) -> Around:
        """What is in view, and is better not covered."""
        view = QRectF(self._view.viewport().rect())
        seen = {item: box for item, box in boxes.items() if view.intersects(box.adjusted(-PIN, -PIN, PIN, PIN))}
        pins = [self._pin(pin) for item in seen for pin in _pins(item)]
        return Around(view, pins, [], list(seen.values()), overlays(self._view))

    def _on_screen(self, rect: QRectF) -> QRectF:
        return QRectF(self._view.mapFromScene(rect).boundingRect())

    def _pin(self, pin: Any) -> QRectF:
        centre = QPointF(self._view.mapFromScene(pin.get_scene_center_pos()))
        return QRectF(centre - QPointF(PIN, PIN) / 2, QSizeF(PIN, PIN))


def _pins(item: Any) -> Iterator[Any]:
    return (port.pin for port in (*item.inputs, *item.outputs))


class Around(NamedTuple):
    """What a bubble in ``view`` is to cover as little of as possible: rectangles on the screen."""

    view: QRectF
    pins: list[QRectF]
    bubbles: list[QRectF]
    nodes: list[QRectF]
    over: list[QRectF]
    """What lies over the canvas, such as the map."""

    def cost(self, box: QRectF) -> float:
        """How bad it is to cover what ``box`` covers."""
        parts = {"pin": self.pins, "bubble": self.bubbles, "over": self.over, "node": self.nodes}
        return sum(WEIGHTS[kind] * sum(_area(box, rect) for rect in rects) for kind, rects in parts.items())

    def is_free(self, box: QRectF) -> bool:
        """Whether ``box`` covers nothing."""
        return not any(box.intersects(one) for rects in self[1:] for one in rects)


def placed(node: QRectF, sizes: Sequence[QSizeF], around: Around) -> tuple[int, QRectF]:
    """Which of ``sizes``, the largest first, a bubble at ``node`` has, and its box.

    The largest that covers nothing next to its node; else a shorter one that covers nothing further away, if there is
    such a place in view; else the one that covers least. That of a node out of view stays at its node.
    """
    if not around.view.intersects(node):
        return 0, QRectF(next(_candidates(node, sizes[0])), sizes[0])
    near = [best(node, size, around) for size in sizes]
    free = (number for number, box in enumerate(near) if around.is_free(box))
    if (number := next(free, None)) is not None:
        return number, near[number]
    least = min(range(len(near)), key=lambda number: around.cost(near[number]))
    return (_further(node, sizes, around) or [(least, near[least])])[0]


def best(node: QRectF, size: QSizeF, around: Around) -> QRectF:
    """The box of ``size`` next to ``node`` that covers least; below it where that is as good as elsewhere."""
    return min((_inside(QRectF(place, size), around.view) for place in _candidates(node, size)), key=around.cost)


def _further(node: QRectF, sizes: Sequence[QSizeF], around: Around) -> list[tuple[int, QRectF]]:
    """For each of ``sizes`` but the largest the nearest place in view that covers nothing, the nearest of all first."""
    if len(around.nodes) + len(around.bubbles) > MOST:
        return []
    found = []
    for number in range(min(1, len(sizes) - 1), len(sizes)):
        boxes = sorted(_everywhere(sizes[number], around), key=lambda box: _gap(box, node).length())
        found += [(number, box) for box in islice(filter(around.is_free, boxes), 1)]
    return sorted(found, key=lambda place: _gap(place[1], node).length())


def _everywhere(size: QSizeF, around: Around) -> Iterator[QRectF]:
    """Boxes of ``size`` all over the view, and next to each thing in it."""
    room = around.view.adjusted(EDGE, EDGE, -EDGE - size.width(), -EDGE - size.height())
    things = [*around.nodes, *around.bubbles, *around.over]
    beside = (x for one in things for x in (one.right() + GAP, one.left() - GAP - size.width()))
    over = (y for one in things for y in (one.bottom() + GAP, one.top() - GAP - size.height()))
    lefts = {x for x in (*_steps(room.left(), room.right()), *beside) if room.left() <= x <= room.right()}
    tops = {y for y in (*_steps(room.top(), room.bottom()), *over) if room.top() <= y <= room.bottom()}
    return (QRectF(QPointF(x, y), size) for x in sorted(lefts) for y in sorted(tops))


def _steps(start: float, end: float) -> Iterable[int]:
    return range(math.ceil(start), math.floor(end) + 1, STEP)


def _gap(box: QRectF, node: QRectF) -> QLineF:
    """The way from ``box`` to ``node``, as seen from the corner of ``box``; without length where they touch."""
    start = _nearest(box, node.center())
    return QLineF(start - box.topLeft(), _nearest(node, start) - box.topLeft())


def _nearest(rect: QRectF, point: QPointF) -> QPointF:
    """The point of ``rect`` that is nearest to ``point``."""
    x, y = min(max(point.x(), rect.left()), rect.right()), min(max(point.y(), rect.top()), rect.bottom())
    return QPointF(x, y)


def _candidates(node: QRectF, size: QSizeF) -> Iterator[QPointF]:
    """Places around a node, the usual ones first."""
    below, above = node.bottom() + GAP, node.top() - GAP - size.height()
    lefts = (node.left(), node.right() - size.width(), node.center().x() - size.width() / 2)
    yield from (QPointF(left, below) for left in lefts)
    yield from (QPointF(left, above) for left in lefts)
    for top in (node.top(), node.bottom() - size.height()):
        yield QPointF(node.right() + PIN, top)
        yield QPointF(node.left() - PIN - size.width(), top)


def _inside(box: QRectF, view: QRectF) -> QRectF:
    """``box``, moved into ``view`` as far as it has room there."""
    left = min(max(box.left(), view.left() + EDGE), max(view.right() - EDGE - box.width(), view.left() + EDGE))
    top = min(max(box.top(), view.top() + EDGE), max(view.bottom() - EDGE - box.height(), view.top() + EDGE))
    return QRectF(QPointF(left, top), box.size())


def _area(one: QRectF, other: QRectF) -> float:
    shared = one.intersected(other)
    return max(shared.width(), 0.0) * max(shared.height(), 0.0)


def bubbles_of(view: Any) -> Bubbles:
    """What places the bubbles of ``view``; created when it is first needed."""
    return view.findChild(Bubbles) or Bubbles(view)
