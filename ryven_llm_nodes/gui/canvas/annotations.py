"""Groups and notes as they look on the canvas, and what the mouse does with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QCursor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen
from qtpy.QtWidgets import QGraphicsItem, QMenu

from ryven_llm_nodes.gui.canvas.text_editing import TextEditing
from ryven_llm_nodes.gui.style.colours import BRIGHT, EDGE, MUTED, NEUTRAL, TEXT
from ryven_llm_nodes.gui.style.fonts import readable
from ryven_llm_nodes.gui.style.theme import TITLE_FONT, scale_of
from ryven_llm_nodes.host.annotations import AnnotationItem, around, change, makers, moved, place, selected_on
from ryven_llm_nodes.host.palette import colour
from ryven_llm_nodes.program.annotations import COLOURS, GROUP, NOTE, SMALLEST, Annotation

HEAD: Final = 34.0
MARGIN: Final = 22.0
RADIUS: Final = 10.0
GRIP: Final = 16.0
"""The corner by which one is resized."""
TITLE_PIXELS: Final = 16
NOTE_PIXELS: Final = 14
NOTE_GROWTH: Final = 1.5
PADDING: Final = 12.0
NOTE_SIZE: Final = (240.0, 120.0)
BELOW: Final = -10.0
"""Nodes lie at 0 and above: groups are behind them, larger ones behind smaller ones."""
FILL: Final = {GROUP: 26, NOTE: 40}
"""How much of its colour is seen, of 255."""


class Annotated(AnnotationItem):
    """What groups and notes have in common: dragged with what lies in them, resized at a corner, edited in place."""

    _held: tuple[QPointF, list[QGraphicsItem]] | None = None
    """Where it was when a drag began, and what is dragged with it."""
    _resized: tuple[QPointF, Annotation] | None = None
    """Where the pointer was when its corner was taken, and what it was then."""
    editing: TextEditing | None = None

    def __init__(self, view: Any, about: Annotation) -> None:
        super().__init__(view, about)
        self.setAcceptHoverEvents(True)
        self._lie_behind()

    def _lie_behind(self) -> None:
        self.setZValue(BELOW - math.sqrt(self._about.width * self._about.height) / 1000)

    def take(self, about: Annotation) -> None:
        super().take(about)
        self._lie_behind()

    @property
    def colour(self) -> QColor:
        """Its colour in this scheme."""
        name = self._about.colour
        return QColor(NEUTRAL if name == "neutral" else colour(name))

    @property
    def grip(self) -> QRectF:
        """The corner that resizes it."""
        box = self.box
        return QRectF(box.right() - GRIP, box.bottom() - GRIP, GRIP, GRIP)

    def boundingRect(self) -> QRectF:
        return self.box.adjusted(-2, -2, 2, 2)

    # The mouse

    def hoverMoveEvent(self, event: Any) -> None:
        on_grip = self.grip.contains(event.pos())
        self.setCursor(Qt.CursorShape.SizeFDiagCursor if on_grip else Qt.CursorShape.ArrowCursor)

    def mousePressEvent(self, event: Any) -> None:
        self.flow_view.mouse_event_taken = True
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
        elif self.grip.contains(event.pos()):
            self._resized = event.scenePos(), self.about
            event.accept()
        else:
            super().mousePressEvent(event)
            self._held = self.pos(), [one for one in self._dragged() if not one.isSelected()]

    def _dragged(self) -> list[QGraphicsItem]:
        """What lies in it and in the other selected groups."""
        chosen = [self, *selected_on(self.flow_view)]
        return list(dict.fromkeys(within for one in chosen for within in one.carries()))

    def mouseMoveEvent(self, event: Any) -> None:
        if self._resized is None:
            super().mouseMoveEvent(event)
            return
        begin, before = self._resized
        by = event.scenePos() - begin
        width, height = max(before.width + by.x(), SMALLEST[0]), max(before.height + by.y(), SMALLEST[1])
        self.take(replace(before, width=width, height=height))

    def itemChange(self, change: Any, value: Any) -> Any:
        if change == self.GraphicsItemChange.ItemPositionChange and self._held is not None:
            for item in self._held[1]:
                item.setPos(item.pos() + value - self.pos())
        return super().itemChange(change, value)

    def mouseReleaseEvent(self, event: Any) -> None:
        self.flow_view.mouse_event_taken = True
        held, resized = self._held, self._resized
        self._held = self._resized = None
        super().mouseReleaseEvent(event)
        if resized is not None:
            change(self, self.about, before=resized[1])
        elif held is not None and held[0] != self.pos():
            moved(self.flow_view, self._moved_items(held[1]), self.pos() - held[0])

    def _moved_items(self, within: Sequence[QGraphicsItem]) -> list[QGraphicsItem]:
        """Qt moves all selected items with the one that is dragged."""
        chosen = self.flow_view.selected_node_items()
        return list(dict.fromkeys([self, *chosen, *selected_on(self.flow_view), *within]))

    def mouseDoubleClickEvent(self, event: Any) -> None:
        self.flow_view.mouse_event_taken = True
        self.edit()

    # Text

    def text_box(self) -> QRectF:
        """Where its text is."""
        raise NotImplementedError

    def edit(self) -> None:
        """Lets the user write its text, in place."""
        if self.editing is None:
            pixels = TITLE_PIXELS if self._about.kind == GROUP else NOTE_PIXELS
            size = max(pixels, math.ceil(pixels / self.flow_view.transform().m11()))
            self.editing = TextEditing(self, self._about.text, self.text_box(), size, self._about.kind == GROUP)
            self.editing.ended.connect(self._edited)
            self.update()

    def _edited(self, text: str | None) -> None:
        self.editing = None
        if text is not None and text != self._about.text:
            change(self, replace(self.about, text=text))
        self.update()

    # The menu

    def contextMenuEvent(self, event: Any) -> None:
        menu = self.make_menu()
        menu.exec(event.screenPos())
        event.accept()

    def make_menu(self) -> QMenu:
        """Edit, colours, delete."""
        menu = QMenu(self.flow_view)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Rename" if self._about.kind == GROUP else "Edit").triggered.connect(self.edit)
        colours = menu.addMenu("Colour")
        for name in COLOURS:
            action = colours.addAction(name.title())
            action.setCheckable(True)
            action.setChecked(name == self._about.colour)
            action.triggered.connect(partial(self._colour, name))
        menu.addAction("Delete").triggered.connect(self.delete)
        return menu

    def _colour(self, name: str, *_: Any) -> None:
        change(self, replace(self.about, colour=name))

    def delete(self) -> None:
        """Deletes it alone; what lies in a group stays."""
        self.flow_view.select_items([self])
        self.flow_view.remove_selected_components__cmd()

    # Painting

    def _paint_box(self, painter: QPainter) -> None:
        fill = QColor(self.colour)
        fill.setAlpha(FILL[self._about.kind])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(fill)
        painter.setPen(QPen(self.colour if self.isSelected() else QColor(EDGE), 2 if self.isSelected() else 1))
        painter.drawRoundedRect(self.box, RADIUS, RADIUS)
        painter.setPen(QPen(self.colour, 1.4))
        corner = self.box.bottomRight() - QPointF(4, 4)
        for length in (4.0, 8.0):
            painter.drawLine(corner - QPointF(length, 0), corner - QPointF(0, length))


class GroupItem(Annotated):
    """A titled rectangle: held by its title, so that what lies in it, and the canvas, can still be clicked."""

    def shape(self) -> QPainterPath:
        path = QPainterPath()
        path.addRect(QRectF(0, 0, self.box.width(), HEAD))
        path.addRect(self.grip)
        return path

    def text_box(self) -> QRectF:
        return QRectF(PADDING, 0, self.box.width() - 2 * PADDING, HEAD)

    def paint(self, painter: QPainter, option: Any, widget: Any = None) -> None:
        self._paint_box(painter)
        head = QPainterPath()
        head.addRoundedRect(QRectF(0, 0, self.box.width(), HEAD + RADIUS), RADIUS, RADIUS)
        band = QColor(self.colour)
        band.setAlpha(60)
        painter.setClipRect(QRectF(0, 0, self.box.width(), HEAD))
        painter.fillPath(head, band)
        painter.setClipping(False)
        if self.editing is None:
            self._paint_title(painter)

    def _paint_title(self, painter: QPainter) -> None:
        """At least 11 pixels high on the screen; when the canvas is small, above its band."""
        size = readable(TITLE_PIXELS, scale_of(painter), growth=math.inf)
        font = QFont(TITLE_FONT[0])
        font.setPixelSize(size)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(BRIGHT if self._about.text else MUTED))
        box = self.text_box().adjusted(0, -size, 0, size) if size > TITLE_PIXELS else self.text_box()
        text = QFontMetricsF(font).elidedText(self._about.text or "Group", Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


class NoteItem(Annotated):
    """A text."""

    def text_box(self) -> QRectF:
        return self.box.adjusted(PADDING, PADDING, -PADDING, -PADDING)

    def paint(self, painter: QPainter, option: Any, widget: Any = None) -> None:
        self._paint_box(painter)
        size = readable(NOTE_PIXELS, scale_of(painter), growth=NOTE_GROWTH)
        if self.editing is not None:
            return
        if not size:
            self._paint_lines(painter)
            return
        font = QFont(TITLE_FONT[0])
        font.setPixelSize(size)
        painter.setFont(font)
        painter.setPen(QColor(TEXT if self._about.text else MUTED))
        painter.setClipRect(self.text_box())
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(self.text_box(), flags, self._about.text or "Note")
        painter.setClipping(False)

    def _paint_lines(self, painter: QPainter) -> None:
        """What a text looks like from so far away that it cannot be read."""
        box, lines = self.text_box(), min(len(self._about.text) // 30 + 1, 6)
        painter.setPen(QPen(QColor(MUTED), 3))
        for line in range(lines):
            y = box.top() + 10 + 18 * line
            if y < box.bottom():
                painter.drawLine(QPointF(box.left(), y), QPointF(box.right() - (60 if line == lines - 1 else 0), y))


makers[GROUP] = GroupItem
makers[NOTE] = NoteItem


# Commands


def group(view: Any) -> GroupItem | None:
    """Draws a group around the selected nodes and notes, and lets the user write its title."""
    chosen = [*view.selected_node_items(), *selected_on(view)]
    boxes = [one.sceneBoundingRect() for one in chosen]
    rect = around(boxes, MARGIN, HEAD) if boxes else QRectF(_pointer(view), QRectF(0, 0, 400, 260).size())
    return _place(view, Annotation(GROUP, "", rect.x(), rect.y(), rect.width(), rect.height(), "accent"))


def note(view: Any) -> NoteItem | None:
    """Puts a note at the pointer, and lets the user write it."""
    at = _pointer(view)
    return _place(view, Annotation(NOTE, "", at.x(), at.y(), *NOTE_SIZE, "warn"))


def _place(view: Any, about: Annotation) -> Any:
    item = place(view, about)
    view.select_items([item])
    view.setFocus()
    item.edit()
    return item


def _pointer(view: Any) -> QPointF:
    """The place of the pointer on the canvas, else the middle of what is in view."""
    place = view.viewport().mapFromGlobal(QCursor.pos())
    rect = view.viewport().rect()
    return view.mapToScene(place if rect.contains(place) else rect.center())


def wrap(item: AnnotationItem, members: Iterable[Any]) -> None:
    """Puts the group ``item`` around ``members`` again, after they were moved; no command."""
    rect = around((one.sceneBoundingRect() for one in members), MARGIN, HEAD)
    item.take(replace(item.about, x=rect.x(), y=rect.y(), width=rect.width(), height=rect.height()))
