"""A small map of the flow in a corner of its canvas, while not all of it is in view; a click goes there."""

from __future__ import annotations

from functools import reduce
from itertools import chain
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.state import preferences
from ryven_llm_nodes.gui.style.colours import ACCENT, BACKGROUND, BORDER
from ryven_llm_nodes.gui.style.families import NEUTRAL, colour_of
from ryven_llm_nodes.host.annotations import items_on

SIZE: Final = QSize(196, 128)
EDGE: Final = 14
MARGIN: Final = 8.0
REFRESH_MS: Final = 60
CHOICE: Final = "minimap"


class Minimap(QWidget):
    """The nodes of ``view`` as boxes, and the part that is visible as a frame."""

    def __init__(self, view: Any) -> None:
        super().__init__(view)
        self._view = view
        self.setFixedSize(SIZE)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._later = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._later.timeout.connect(self.refresh)
        view.viewport().installEventFilter(self)
        self._boxes: dict[str, list[QRectF]] | None = None
        self._nodes = QRectF()
        self._is_outdated = True
        view.scene().changed.connect(self._changed)
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            bar.valueChanged.connect(lambda _: self._later.start())
        self.hide()

    def _changed(self, _: object) -> None:
        self._is_outdated = True
        self._later.start()

    # What is shown

    @property
    def boxes(self) -> dict[str, list[QRectF]]:
        """The places of groups, notes and nodes in the scene, by colour; what lies below others comes first."""
        if self._boxes is None:
            self._boxes = {BORDER: [item.scene_box for item in items_on(self._view)]}
            for node, item in self._view.node_items.items():
                self._boxes.setdefault(_colour(node), []).append(item.sceneBoundingRect())
            self._nodes = reduce(QRectF.united, chain.from_iterable(self._boxes.values()), QRectF())
        return self._boxes

    @property
    def nodes(self) -> QRectF:
        """The part of the scene that holds nodes, groups and notes."""
        return self._nodes if self.boxes else QRectF()

    @property
    def visible(self) -> QRectF:
        """The part of the scene that is in view."""
        return self._view.mapToScene(self._view.viewport().rect()).boundingRect()

    def refresh(self) -> None:
        """Shows the map where something is out of view."""
        if self._is_outdated:  # else the view was moved alone
            self._boxes, self._is_outdated = None, False
        nodes = self.nodes
        is_wanted = preferences.read(CHOICE) is not False
        self.setVisible(is_wanted and not nodes.isEmpty() and not self.visible.contains(nodes))
        if self.isVisible():
            size = self._view.viewport().size()
            place = self._view.viewport().pos()
            self.move(place.x() + size.width() - SIZE.width() - EDGE, place.y() + size.height() - SIZE.height() - EDGE)
            self.raise_()
            self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Wheel):
            self._later.start()
        return False

    def _scale(self) -> tuple[QRectF, float]:
        """The part of the scene that the map covers, and how small it is drawn."""
        area = self.nodes.united(self.visible)
        free = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        return area, min(free.width() / area.width(), free.height() / area.height())

    def _on_map(self, rect: QRectF, area: QRectF, scale: float) -> QRectF:
        place = (rect.topLeft() - area.topLeft()) * scale + QPointF(MARGIN, MARGIN)
        return QRectF(place, rect.size() * scale)

    def paintEvent(self, event: QPaintEvent) -> None:
        area, scale = self._scale()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(BACKGROUND)
        ground.setAlpha(235)
        painter.setPen(QPen(QColor(BORDER), 1))
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.save()
        painter.translate(MARGIN, MARGIN)
        painter.scale(scale, scale)
        painter.translate(-area.topLeft())
        for colour, boxes in self.boxes.items():
            painter.setBrush(QColor(colour))
            painter.drawRects(boxes)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(ACCENT), 1.2))
        painter.drawRect(self._on_map(self.visible, area, scale))
        painter.end()

    # The mouse

    def _go(self, event: QMouseEvent) -> None:
        area, scale = self._scale()
        self._view.centerOn((event.position() - QPointF(MARGIN, MARGIN)) / scale + area.topLeft())
        self._view.horizontalScrollBar().actionTriggered.emit(0)  # what was fitted is no longer so
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)


def _colour(node: Any) -> str:
    return colour_of(type(node)) if isinstance(node, LLMNode) else NEUTRAL


def switch(view: Any) -> bool:
    """Turns maps on or off, for all flows; whether they are on."""
    is_on = preferences.read(CHOICE) is False
    preferences.keep(CHOICE, is_on)
    for made in view.findChildren(Minimap):
        made.refresh()
    return is_on
