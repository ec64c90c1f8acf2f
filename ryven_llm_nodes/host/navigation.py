"""Moves the canvas as other editors do: the wheel zooms, the middle button and Space pan."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QCursor
from ryvencore_qt.src.flows.FlowView import FlowView

from ryven_llm_nodes.host.versions import CORE_QT, workaround

STEP: Final = 1.15
"""The factor of one notch of the wheel."""
NOTCH: Final = 120
SMALLEST, LARGEST = 0.1, 2.5


def zoom_about(view: FlowView, place: QPointF, factor: float) -> None:
    """Scales ``view`` by ``factor``; what lies at ``place`` in its viewport stays there."""
    scale = view.transform().m11()
    factor = min(max(scale * factor, SMALLEST), LARGEST) / scale
    if abs(factor - 1) < 1e-6:
        return
    anchor = view.mapToScene(place.toPoint())
    view.scale(factor, factor)
    set_scale(view)
    moved = view.mapFromScene(anchor) - place.toPoint()
    for bar, by in ((view.horizontalScrollBar(), moved.x()), (view.verticalScrollBar(), moved.y())):
        bar.setValue(bar.value() + by)


def set_scale(view: FlowView) -> None:
    """flows/FlowView.py keeps its own record of the zoom."""
    view._current_scale = view.transform().m11()
    view._total_scale_div = 1 / view._current_scale


@workaround(CORE_QT)
def the_wheel_zooms() -> None:
    """flows/FlowView.py:516: the wheel scrolls, and zooms with Ctrl only, each notch by an animation of its own."""
    original = FlowView.wheelEvent

    def wheel(self: FlowView, event: Any) -> None:
        notches = event.angleDelta().y() / NOTCH
        if not notches or event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
            original(self, event)
            return
        if self._node_list_widget_proxy.isVisible() and self._node_list_widget_proxy in self.items(
            event.position().toPoint()
        ):
            original(self, event)
            return
        event.accept()
        zoom_about(self, event.position(), STEP**notches)

    FlowView.wheelEvent = wheel


@workaround(CORE_QT)
def panning() -> None:
    """flows/FlowView.py:385: only the right button pans."""
    press, move, release = FlowView.mousePressEvent, FlowView.mouseMoveEvent, FlowView.mouseReleaseEvent

    def pressed(self: FlowView, event: Any) -> None:
        is_space = event.button() == Qt.MouseButton.LeftButton and getattr(self, "_llm_space", False)
        if event.button() == Qt.MouseButton.MiddleButton or is_space:
            self._llm_pan = event.position().toPoint()
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
            event.accept()
            return
        press(self, event)

    def moved(self: FlowView, event: Any) -> None:
        if (last := getattr(self, "_llm_pan", None)) is None:
            move(self, event)
            return
        now = event.position().toPoint()
        _scroll(self, last - now)
        self._llm_pan = now
        event.accept()

    def released(self: FlowView, event: Any) -> None:
        if getattr(self, "_llm_pan", None) is None:
            release(self, event)
            return
        self._llm_pan = None
        self.viewport().unsetCursor()
        event.accept()

    FlowView.mousePressEvent, FlowView.mouseMoveEvent, FlowView.mouseReleaseEvent = pressed, moved, released


def _scroll(view: FlowView, by: QPoint) -> None:
    for bar, amount in ((view.horizontalScrollBar(), by.x()), (view.verticalScrollBar(), by.y())):
        bar.setValue(bar.value() + amount)
        bar.actionTriggered.emit(0)  # as if its user had moved it


def _types(view: FlowView) -> bool:
    """Whether a widget on the canvas, such as the list of nodes, takes the keys."""
    item = view.scene().focusItem()
    return item is not None and item.isVisible()


@workaround(CORE_QT)
def keys() -> None:
    """flows/FlowView.py:503: Space does nothing, and a double click on the canvas neither."""
    press, release = FlowView.keyPressEvent, FlowView.keyReleaseEvent

    def pressed(self: FlowView, event: Any) -> None:
        if event.key() == Qt.Key.Key_Space and not _types(self):
            self._llm_space = True
            event.accept()
        else:
            press(self, event)

    def released(self: FlowView, event: Any) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._llm_space = False
        release(self, event)

    def double_clicked(self: FlowView, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.itemAt(event.position().toPoint()):
            search(self, event.position().toPoint())
            event.accept()
        else:
            super(FlowView, self).mouseDoubleClickEvent(event)

    FlowView.keyPressEvent, FlowView.keyReleaseEvent = pressed, released
    FlowView.mouseDoubleClickEvent = double_clicked


def search(view: FlowView, at: QPoint | None = None) -> None:
    """Opens the list of nodes at the place ``at`` in the viewport, else at the pointer, else in the middle."""
    place = at if at is not None else view.viewport().mapFromGlobal(QCursor.pos())
    inside = view.viewport().rect().contains(place)
    view._auto_connection_pin = None
    view.show_place_node_widget(place if inside else view.viewport().rect().center())
