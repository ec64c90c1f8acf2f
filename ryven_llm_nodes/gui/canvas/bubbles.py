"""Places the bubbles of a canvas: inside the view, off all nodes and their ports, and off each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, QSizeF, QTimer

from ryven_llm_nodes.gui.canvas.in_view import overlays
from ryven_llm_nodes.gui.canvas.room import PIN, Around, gap, placed

SETTLE_MS: Final = 30


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
            around.take(box)
            mark.bubble.say(words, gap(box, node))
            mark.bubble.setPos(self._view.mapToScene(box.topLeft().toPoint()))
        self._view.viewport().update()  # Qt repaints only a part of an item that ignores the zoom and has changed

    def _around(self, boxes: dict[Any, QRectF]) -> Around:
        """What is in view, and is better not covered."""
        view = QRectF(self._view.viewport().rect())
        seen = {item: box for item, box in boxes.items() if view.intersects(box.adjusted(-PIN, -PIN, PIN, PIN))}
        pins = [self._pin(pin) for item in seen for pin in _pins(item)]
        return Around(view, list(seen.values()), pins, overlays(self._view))

    def _on_screen(self, rect: QRectF) -> QRectF:
        return QRectF(self._view.mapFromScene(rect).boundingRect())

    def _pin(self, pin: Any) -> QRectF:
        centre = QPointF(self._view.mapFromScene(pin.get_scene_center_pos()))
        return QRectF(centre - QPointF(PIN, PIN) / 2, QSizeF(PIN, PIN))


def _pins(item: Any) -> Iterator[Any]:
    return (port.pin for port in (*item.inputs, *item.outputs))


def bubbles_of(view: Any) -> Bubbles:
    """What places the bubbles of ``view``; created when it is first needed."""
    return view.findChild(Bubbles) or Bubbles(view)
