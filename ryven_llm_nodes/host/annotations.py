"""Groups and notes on Ryven's canvas: kept, moved, copied and deleted with the nodes, in its undo stack.

Ryven knows nodes, wires and drawings alone, so its commands are taught a further kind of item here. How one looks is
up to the editor, which registers its classes in :data:`makers`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QGraphicsItem, QGraphicsObject
from ryvencore_qt.src.flows.FlowCommands import MoveComponents_Command, Paste_Command, RemoveComponents_Command
from ryvencore_qt.src.flows.FlowView import FlowView

from ryven_llm_nodes.host.undo import push_undo
from ryven_llm_nodes.host.versions import CORE_QT, workaround
from ryven_llm_nodes.program.annotations import GROUP, KEY, SMALLEST, Annotation, annotations_of, to_data

LIST: Final = "_llm_annotations"
"""Where a canvas keeps its annotations."""


class AnnotationItem(QGraphicsObject):
    """An annotation on ``view``: an item of its scene while it :attr:`is_there`."""

    def __init__(self, view: FlowView, about: Annotation) -> None:
        super().__init__()
        self.flow_view = view
        self._about = about
        self.setFlags(self.GraphicsItemFlag.ItemIsSelectable | self.GraphicsItemFlag.ItemIsMovable)
        self.setFlag(self.GraphicsItemFlag.ItemSendsGeometryChanges)
        self.setPos(about.x, about.y)

    def __str__(self) -> str:
        return self._about.kind

    @property
    def about(self) -> Annotation:
        """What it is, where it lies now."""
        return replace(self._about, x=self.pos().x(), y=self.pos().y())

    def take(self, about: Annotation) -> None:
        """Becomes ``about``."""
        self.prepareGeometryChange()
        self._about = about
        self.setPos(about.x, about.y)
        self.update()

    @property
    def box(self) -> QRectF:
        """Its rectangle, in its own coordinates."""
        return QRectF(0, 0, self._about.width, self._about.height)

    @property
    def scene_box(self) -> QRectF:
        """The same in the scene."""
        return self.box.translated(self.pos())

    @property
    def is_there(self) -> bool:
        """Whether it lies on the canvas."""
        return self.scene() is not None

    def carries(self) -> list[QGraphicsItem]:
        """What moves with it."""
        return inside(self) if self._about.kind == GROUP else []

    def on_move(self) -> None:
        """Called by Ryven after a command has moved it."""


makers: Final[dict[str, Callable[[FlowView, Annotation], AnnotationItem]]] = {}
"""What makes the item of an annotation, by kind."""


def items_on(view: FlowView) -> list[AnnotationItem]:
    """The annotations on ``view``."""
    return [item for item in getattr(view, LIST, []) if item.is_there]


def selected_on(view: FlowView) -> list[AnnotationItem]:
    """Those of them that are selected."""
    return [item for item in items_on(view) if item.isSelected()]


def stored(view: FlowView) -> dict[str, Any]:
    """What a flow file holds of the annotations on ``view``."""
    return to_data(item.about for item in items_on(view))


def load(view: FlowView) -> None:
    """Puts the annotations of the flow of ``view``, which has just been opened, onto it."""
    for item in make(view, annotations_of((view.flow.load_data or {}).get(KEY))):
        add(item)


def make(view: FlowView, annotations: Iterable[Annotation]) -> list[AnnotationItem]:
    """The items of ``annotations``, which are not on the canvas yet."""
    return [makers[one.kind](view, one) for one in annotations if one.kind in makers]


def add(item: AnnotationItem) -> None:
    """Puts ``item`` onto its canvas; no command."""
    known = item.flow_view.__dict__.setdefault(LIST, [])
    if item not in known:
        known.append(item)
    item.flow_view.scene().addItem(item)


def remove(item: AnnotationItem) -> None:
    """Takes ``item`` from its canvas; no command."""
    if item.is_there:
        view = item.flow_view
        item.setSelected(False)
        view._current_selected = [one for one in view._current_selected if one is not item]
        view.scene().removeItem(item)


# Commands


def place(view: FlowView, about: Annotation) -> AnnotationItem:
    """Puts an annotation onto the canvas, as an undoable command; returns its item."""
    (item,) = make(view, [about])
    push_undo(view, f"Create {about.kind}", lambda: remove(item), lambda: add(item))
    return item


def change(item: AnnotationItem, about: Annotation, before: Annotation | None = None) -> None:
    """Makes ``item`` what ``about`` says, as an undoable command; ``before``: what it was, where that is gone."""
    was = before or item.about
    if about != was:
        push_undo(item.flow_view, f"Change {about.kind}", lambda: item.take(was), lambda: item.take(about))


def inside(item: AnnotationItem) -> list[QGraphicsItem]:
    """The nodes and annotations whose centres lie in ``item``: a node in two groups belongs to both."""
    view, box = item.flow_view, item.scene_box
    nodes = [one for one in view.node_items.values() if box.contains(one.sceneBoundingRect().center())]
    others = (one for one in items_on(view) if one is not item)
    return [*nodes, *(one for one in others if box.contains(one.scene_box.center()))]


def moved(view: FlowView, items: Sequence[QGraphicsItem], by: QPointF) -> None:
    """An undoable command for ``items``, which were just moved ``by`` that much."""
    if items and not by.isNull():
        view.push_undo(MoveComponents_Command(view, list(items), p_from=-by, p_to=QPointF(0, 0)))


def movable(view: FlowView) -> list[QGraphicsItem]:
    """The selected nodes and annotations, and all that lies in selected groups."""
    chosen = [*view.selected_node_items(), *selected_on(view)]
    within = [one for item in chosen if isinstance(item, AnnotationItem) for one in item.carries()]
    return list(dict.fromkeys([*chosen, *within]))


@workaround(CORE_QT)
def arrow_keys_move_groups_with_what_is_in_them() -> None:
    """flows/FlowView.py:1235 moves what is selected alone."""
    original = FlowView._move_selected_copmonents__cmd

    def move(self: FlowView, pos_diff: QPointF, already_moved: bool = False) -> None:
        if already_moved or not selected_on(self):
            original(self, pos_diff, already_moved)
            return
        items, scene = movable(self), self.sceneRect()
        if not all(scene.contains(item.sceneBoundingRect().translated(pos_diff)) for item in items):
            return
        for item in items:
            item.setPos(item.pos() + pos_diff)
        moved(self, items, pos_diff)

    FlowView._move_selected_copmonents__cmd = move


@workaround(CORE_QT)
def deleted_with_nodes() -> None:
    """flows/FlowCommands.py:210 deletes nodes, wires and drawings alone."""
    redo, undo = RemoveComponents_Command.redo_, RemoveComponents_Command.undo_

    def delete(self: Any) -> None:
        redo(self)
        self._llm_items = [one for one in self.items if isinstance(one, AnnotationItem) and one.is_there]
        for item in self._llm_items:
            remove(item)

    def restore(self: Any) -> None:
        for item in self._llm_items:
            add(item)
        undo(self)

    RemoveComponents_Command.redo_, RemoveComponents_Command.undo_ = delete, restore


# The clipboard


@workaround(CORE_QT)
def copied_with_nodes() -> None:
    """flows/FlowView.py:1365, 1383; flows/FlowCommands.py:356: the clipboard holds nodes, wires and drawings alone."""
    copy, paste_redo, paste_undo = FlowView._copy, Paste_Command.redo_, Paste_Command.undo_

    def _copy(self: FlowView) -> None:  # a slot
        copy(self)
        chosen = [item.about for item in selected_on(self)]
        if chosen:
            data = json.loads(QGuiApplication.clipboard().text())
            QGuiApplication.clipboard().setText(json.dumps({**data, KEY: to_data(chosen)}))

    def redo(self: Any) -> None:
        if not hasattr(self, "_llm_items"):
            self._llm_items = make(self.flow_view, annotations_of(self.data.get(KEY)))
        for item in self._llm_items:
            add(item)
        paste_redo(self)
        _select_too(self.flow_view, self._llm_items)

    def undo(self: Any) -> None:
        paste_undo(self)
        for item in self._llm_items:
            remove(item)

    FlowView._copy, Paste_Command.redo_, Paste_Command.undo_ = _copy, redo, undo


@workaround(CORE_QT)
def pasted_where_nodes_are() -> None:
    """flows/FlowCommands.py:369 moves what it knows to the place where it is pasted."""
    original = Paste_Command.modify_data_positions

    def move(self: Any, offset: QPointF) -> None:
        original(self, offset)
        found = [one.moved(offset.x(), offset.y()) for one in annotations_of(self.data.get(KEY))]
        self.data[KEY] = to_data(found)

    Paste_Command.modify_data_positions = move


def _select_too(view: FlowView, items: Sequence[AnnotationItem]) -> None:
    if items:
        view.select_items([*view.selected_node_items(), *items])


def paste_alone(view: FlowView, data: dict[str, Any]) -> bool:
    """Pastes what was copied at the pointer, if it is annotations alone, whose places Ryven does not know."""
    found = [] if data.get("nodes") or data.get("drawings") else annotations_of(data.get(KEY))
    if not found:
        return False
    boxes = [QRectF(one.x, one.y, one.width, one.height) for one in found]
    view.push_undo(Paste_Command(view, data, view._last_mouse_move_pos - around(boxes, 0, 0).center()))
    return True


def around(boxes: Iterable[QRectF], margin: float, head: float) -> QRectF:
    """The rectangle of a group of what lies in ``boxes``, with room for a title of height ``head``."""
    rect = QRectF()
    for box in boxes:
        rect = rect.united(box)
    rect = rect.adjusted(-margin, -margin - head, margin, margin)
    return QRectF(rect.topLeft(), rect.size().expandedTo(type(rect.size())(*SMALLEST)))
