"""Nodes are painted once, and shown as pictures until they change, so that a canvas of hundreds stays smooth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from typing import Any, Final
from weakref import ref

from qtpy.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt, QTimer
from qtpy.QtGui import QColor, QPainter, QPixmap, QTransform
from qtpy.QtWidgets import QGraphicsEffect, QGraphicsItem
from ryvencore_qt.src.flows.FlowView import FlowView
from ryvencore_qt.src.flows.nodes.NodeItem import NodeItem

from ryven_llm_nodes.host.versions import CORE_QT, workaround

BUDGET_S: Final = 0.003
"""How long a frame may renew pictures; the others are renewed in the next frames."""
NEXT_MS: Final = 15
MOST_PIXELS: Final = 32 * 2**20
"""Pixels (of four bytes) of all pictures on a canvas; those that were not shown for longest are forgotten."""
MARGIN: Final = 20.0
"""The room that a shadow takes around a node."""
BLUR, SHIFT, RADIUS = 16.0, QPointF(3, 5), 9.0
COARSE: Final = 4
"""Shadows are so soft that a picture of a quarter of their size is enough."""
LAYERS: Final = 8
_ORIGIN, _NO_TRANSFORM, _SMOOTH = QPointF(), QTransform(), QPainter.RenderHint.SmoothPixmapTransform


class NodePicture(QGraphicsEffect):
    """A node with everything on it and its shadow, as a picture that is kept until the node looks different.

    Qt's own effects keep one too, but forget it whenever a view that is zoomed scrolls, and blur shadows again for each
    frame. While a view is being zoomed, pictures are stretched, and renewed as far as there is time in each frame.
    """

    def __init__(self, item: NodeItem, colour: QColor) -> None:
        super().__init__()
        self._item, self._colour = item, colour
        self._frame = frame_of(item.flow_view)
        self._picture: QPixmap | None = None
        self._place = QPointF()  # of the picture, relative to the origin of the node, on the screen
        self._size, self._all = QSizeF(), QRectF()  # of the picture on the screen, and in its own pixels
        self.shown = 0
        """The last frame that it was in."""
        self._scale = 0.0
        self._is_outdated = True

    def boundingRectFor(self, rect: QRectF) -> QRectF:
        """The node and its shadow."""
        return rect.adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN)

    def sourceChanged(self, flags: Any) -> None:
        """The node looks different from now on."""
        self._is_outdated = True

    def draw(self, painter: QPainter) -> None:
        """Shows the picture; on anything but the screen, such as a thumbnail, paints the node itself."""
        if not self._frame.is_painted:
            painter.drawPixmap(self._around, *_shadow_of(self._item, self._colour))
            self.drawSource(painter)
            return
        transform = painter.worldTransform()
        if self._picture is None or not self._item.painted_once:
            self._renew(transform)
        elif self._is_outdated or abs(self._scale - transform.m11()) > 1e-9:
            self._frame.do(lambda: self._renew(transform))
        self._show(painter, transform)

    @property
    def _around(self) -> QRectF:
        """The node and its shadow, in the coordinates of the node."""
        return self.boundingRectFor(self._item.boundingRect())

    def _renew(self, transform: QTransform) -> None:
        place = QPoint()
        source = self.sourcePixmap(Qt.CoordinateSystem.DeviceCoordinates, place, QGraphicsEffect.PixmapPadMode.NoPad)
        ratio = source.devicePixelRatio()
        around = transform.mapRect(self._around).united(QRectF(QPointF(place), source.deviceIndependentSize()))
        around = around.toAlignedRect()
        picture = QPixmap(around.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        shadow, whole = _shadow_of(self._item, self._colour)
        painter.drawPixmap(transform.mapRect(self._around).translated(-QPointF(around.topLeft())), shadow, whole)
        painter.drawPixmap(place - around.topLeft(), source)
        painter.end()
        self._picture, self._place = picture, QPointF(around.topLeft()) - transform.map(QPointF())
        self._size, self._all = picture.deviceIndependentSize(), QRectF(picture.rect())
        self._scale, self._is_outdated = transform.m11(), False
        self._frame.keep(self, picture.width() * picture.height())

    def forget(self) -> None:
        """Gives the memory of the picture back; it is made again when it is needed."""
        self._picture = None

    def _show(self, painter: QPainter, transform: QTransform) -> None:
        self.shown = self._frame.number
        factor = transform.m11() / self._scale
        place = transform.map(_ORIGIN) + self._place * factor
        painter.setWorldTransform(_NO_TRANSFORM)
        if factor == 1.0:
            painter.drawPixmap(place.toPoint(), self._picture)
        else:
            painter.setRenderHint(_SMOOTH, True)
            painter.drawPixmap(QRectF(place, self._size * factor), self._picture, self._all)
            painter.setRenderHint(_SMOOTH, False)
        painter.setWorldTransform(transform)


def _shadow_of(item: NodeItem, colour: QColor) -> tuple[QPixmap, QRectF]:
    """The shadow of a node, and the part of it to draw: all."""
    rect = item.boundingRect()
    picture = _shadow(round(rect.width()), round(rect.height()), colour.rgba())
    return picture, QRectF(picture.rect())


@lru_cache(maxsize=256)
def _shadow(width: int, height: int, rgba: int) -> QPixmap:
    """A soft shadow of a node, with the margin around it, in a ``COARSE``-th of its size."""
    picture = QPixmap(ceil((width + 2 * MARGIN) / COARSE), ceil((height + 2 * MARGIN) / COARSE))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.scale(1 / COARSE, 1 / COARSE)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    colour = QColor.fromRgba(rgba)
    colour.setAlphaF(1 - (1 - colour.alphaF()) ** (1 / LAYERS))
    painter.setBrush(colour)
    node = QRectF(SHIFT + QPointF(MARGIN, MARGIN), QRectF(0, 0, width, height).size())
    for layer in range(LAYERS):
        grown = BLUR / 2 - BLUR * layer / LAYERS
        painter.drawRoundedRect(node.adjusted(-grown, -grown, grown, grown), RADIUS + grown / 2, RADIUS + grown / 2)
    painter.end()
    return picture


class Frame:
    """What the frame that is being painted may still do, and the pictures that are kept from those before."""

    def __init__(self, view: FlowView) -> None:
        self.used = 0.0
        self.number = 0
        self.is_painted = False
        """Whether it is being painted now, on the screen."""
        self._kept: dict[int, tuple[ref[NodePicture], int]] = {}
        self._total = 0
        self._next = QTimer(view, interval=NEXT_MS, singleShot=True)
        self._next.timeout.connect(view.viewport().update)

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Another frame is painted meanwhile."""
        self.used, self.number, self.is_painted = 0.0, self.number + 1, True
        try:
            yield
        finally:
            self.is_painted = False

    def do(self, work: Callable[[], object]) -> None:
        """Does ``work`` now if there is time, else asks for another frame."""
        if self.used >= BUDGET_S:
            self._next.start()
            return
        began = time.perf_counter()
        work()
        self.used += time.perf_counter() - began

    def keep(self, picture: NodePicture, pixels: int) -> None:
        """Counts a new ``picture``, and forgets old ones if there are too many."""
        self._total += pixels - self._kept.pop(id(picture), (None, 0))[1]
        self._kept[id(picture)] = ref(picture), pixels
        if self._total > MOST_PIXELS:
            self._forget(picture)

    def _forget(self, newest: NodePicture) -> None:
        """Forgets those that were not shown for longest, until what is left is not too much."""
        known = {key: kept() for key, (kept, _) in self._kept.items()}
        for key in sorted(known, key=lambda key: (one := known[key]) is not None and one.shown):
            if self._total <= MOST_PIXELS:
                break
            if (old := known[key]) is not newest:
                self._total -= self._kept.pop(key)[1]
                if old is not None:
                    old.forget()


def frame_of(view: FlowView) -> Frame:
    """The frame of ``view``, of which there is one at a time."""
    if (frame := getattr(view, "_llm_frame", None)) is None:
        frame = view._llm_frame = Frame(view)
    return frame


@workaround(CORE_QT)
def nodes_are_pictures() -> None:
    """flows/nodes/NodeItem.py:271: shadows are blurred, and all that is on a node is painted again, in each frame.

    The pictures that Qt keeps of nodes (``DeviceCoordinateCache``) are of no use below an effect.
    """

    def update_design(self: NodeItem) -> None:
        is_new = self.shadow_effect is None
        self.setCacheMode(QGraphicsItem.CacheMode.NoCache)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemContainsChildrenInShape)  # else those out of view are drawn too
        self.shadow_effect = NodePicture(self, self.session_design.flow_theme.node_item_shadow_color)
        self.setGraphicsEffect(self.shadow_effect)
        if is_new or self.painted_once:  # a node that was not painted yet is laid out again when it is
            self.widget.update_shape()
        self.animator.reload_values()
        self.update()

    NodeItem.update_design = update_design


@workaround(CORE_QT)
def frames_begin() -> None:
    """flows/FlowView.py:104: nothing tells that a frame begins."""
    paint = FlowView.paintEvent

    def painted(self: FlowView, event: Any) -> None:
        with frame_of(self).painting():
            paint(self, event)

    FlowView.paintEvent = painted
