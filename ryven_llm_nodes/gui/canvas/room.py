"""Finds a place on the screen for a bubble: next to its node, or else the nearest that covers nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from qtpy.QtCore import QLineF, QPointF, QRectF, QSizeF

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


class Around:
    """What a bubble in ``view`` is to cover as little of as possible: rectangles on the screen.

    ``over`` is what lies over the canvas, such as the map.
    """

    def __init__(
        self,
        view: QRectF,
        nodes: Sequence[QRectF] = (),
        pins: Sequence[QRectF] = (),
        over: Sequence[QRectF] = (),
        bubbles: Sequence[QRectF] = (),
    ) -> None:
        self.view = view
        self.things = {"node": list(nodes), "pin": list(pins), "over": list(over), "bubble": list(bubbles)}
        self._edges = [rect.getCoords() for rects in self.things.values() for rect in rects]
        self._without_room: list[QSizeF] = []
        """Sizes for which no place is left."""

    def take(self, box: QRectF) -> None:
        """A bubble has ``box`` from now on."""
        self.things["bubble"].append(box)
        self._edges.append(box.getCoords())

    def cost(self, box: QRectF) -> float:
        """How bad it is to cover what ``box`` covers."""
        return sum(WEIGHTS[kind] * sum(_area(box, rect) for rect in rects) for kind, rects in self.things.items())

    def is_free(self, box: QRectF) -> bool:
        """Whether ``box`` covers nothing."""
        left, top, right, bottom = box.getCoords()
        return not any(x1 < right and left < x2 and y1 < bottom and top < y2 for x1, y1, x2, y2 in self._edges)

    @property
    def is_crowded(self) -> bool:
        """Whether no search is worth its time."""
        return len(self.things["node"]) + len(self.things["bubble"]) > MOST

    def nearest(self, node: QRectF, size: QSizeF) -> QRectF | None:
        """The box of ``size`` that is nearest to ``node`` of those that cover nothing; None if there is none."""
        width, height = size.toTuple()
        if any(one.width() <= width and one.height() <= height for one in self._without_room):
            return None
        left, top, right, bottom = node.getCoords()
        columns, rows = self._places(width, height)
        found, least = None, math.inf
        for away, x in sorted((max(left - x - width, x - right, 0.0), x) for x in columns):
            if away >= least:
                break
            in_the_way = [(y1, y2) for x1, y1, x2, y2 in self._edges if x1 < x + width and x < x2]
            for y in sorted(rows):
                distance = math.hypot(away, max(top - y - height, y - bottom, 0.0))
                if distance < least and not any(y1 < y + height and y < y2 for y1, y2 in in_the_way):
                    found, least = QRectF(x, y, width, height), distance
        if found is None:
            self._without_room.append(size)
        return found

    def _places(self, width: float, height: float) -> tuple[set[float], set[float]]:
        """Where a box may begin: all over the view, and next to each thing in it."""
        left, top, right, bottom = self.view.adjusted(EDGE, EDGE, -EDGE - width, -EDGE - height).getCoords()
        solid = [rect.getCoords() for kind, rects in self.things.items() if kind != "pin" for rect in rects]
        columns = {x for x1, _, x2, _ in solid for x in (x2 + GAP, x1 - GAP - width)} | _steps(left, right)
        rows = {y for _, y1, _, y2 in solid for y in (y2 + GAP, y1 - GAP - height)} | _steps(top, bottom)
        return {x for x in columns if left <= x <= right}, {y for y in rows if top <= y <= bottom}


def _steps(start: float, end: float) -> set[float]:
    return {float(place) for place in range(math.ceil(start), math.floor(end) + 1, STEP)}


def placed(node: QRectF, sizes: Sequence[QSizeF], around: Around) -> tuple[int, QRectF]:
    """Which of ``sizes``, the largest first, a bubble at ``node`` has, and its box.

    The largest that covers nothing next to its node; else a shorter one that covers nothing further away, if there is
    such a place in view; else a short one where it covers least. That of a node out of view stays at its node.
    """
    if not around.view.intersects(node):
        return 0, QRectF(next(_candidates(node, sizes[0])), sizes[0])
    near = [(number, box) for number, size in enumerate(sizes) for box in _next_to(node, size, around.view)]
    free = next((one for one in near if around.is_free(one[1])), None)
    small = [(number, box) for number, box in near if number >= len(sizes) - 2]
    return free or _further(node, sizes, around) or min(small, key=lambda one: around.cost(one[1]))


def _further(node: QRectF, sizes: Sequence[QSizeF], around: Around) -> tuple[int, QRectF] | None:
    """The place in view, nearest to ``node``, where a bubble covers nothing, of all but the largest of ``sizes``."""
    if around.is_crowded:
        return None
    numbers = range(min(1, len(sizes) - 1), len(sizes))
    boxes = [(number, around.nearest(node, sizes[number])) for number in reversed(numbers)]  # the smallest first
    found = [(number, box) for number, box in boxes if box is not None]
    return min(found, key=lambda one: gap(one[1], node).length(), default=None)


def gap(box: QRectF, node: QRectF) -> QLineF:
    """The way from ``box`` to ``node``, as seen from the corner of ``box``; without length where they touch."""
    start = _nearest(box, node.center())
    return QLineF(start - box.topLeft(), _nearest(node, start) - box.topLeft())


def _nearest(rect: QRectF, point: QPointF) -> QPointF:
    """The point of ``rect`` that is nearest to ``point``."""
    x, y = min(max(point.x(), rect.left()), rect.right()), min(max(point.y(), rect.top()), rect.bottom())
    return QPointF(x, y)


def _next_to(node: QRectF, size: QSizeF, view: QRectF) -> Iterable[QRectF]:
    return (_inside(QRectF(place, size), view) for place in _candidates(node, size))


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
