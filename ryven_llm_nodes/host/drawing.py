"""What ryvencore_qt computes again and again, or keeps without a use, while it draws a canvas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import QGraphicsItem
from ryvencore_qt.src.flows.connections import ConnectionItem as wires
from ryvencore_qt.src.flows.FlowView import FlowView
from ryvencore_qt.src.flows.nodes import NodeItem_CollapseButton as buttons
from ryvencore_qt.src.flows.nodes.NodeItem import NodeItem
from ryvencore_qt.src.flows.nodes.NodeItemWidget import NodeItemWidget
from ryvencore_qt.src.flows.nodes.PortItem import PortItemPin
from ryvencore_qt.src.utils import MovementEnum

from ryven_llm_nodes.host.versions import CORE_QT, workaround

SMALLEST_GRID: Final = 0.7
"""Below this scale the canvas has no grid, as in ryvencore_qt."""


class _Nothing:
    """Stands for parts of a wire's animation, which ryvencore_qt never starts."""

    def __init__(self, *_: Any) -> None:
        pass

    def setVisible(self, visible: bool) -> None:
        """A dot is not shown."""

    def recompute(self) -> None:
        """Nothing moves along a wire."""


@workaround(CORE_QT)
def wires_have_no_dots() -> None:
    """flows/connections/ConnectionItem.py:52: each wire has 40 hidden dots and an item that moves them, never used.

    And the picture that is kept of each wire (line 46) is as large as the rectangle around it.
    """
    for name in ("QGraphicsEllipseItem", "ConnPathItemsAnimation", "ConnPathItemsAnimationScaled"):
        setattr(wires, name, _Nothing)
    original = wires.ConnectionItem.__init__

    def init(self: Any, *given: Any) -> None:
        original(self, *given)
        self.setCacheMode(QGraphicsItem.CacheMode.NoCache)

    wires.ConnectionItem.__init__ = init


@workaround(CORE_QT)
def collapse_buttons() -> None:
    """flows/nodes/NodeItem_CollapseButton.py:22: two SVG files are read and drawn for each button.

    flows/nodes/NodeItemWidget.py:62: each time a node is laid out, it gets another button, and keeps the old one.
    """
    buttons.change_svg_color = lru_cache(maxsize=64)(buttons.change_svg_color)
    buttons.get_resource = lru_cache(maxsize=64)(buttons.get_resource)
    original = NodeItemWidget.rebuild_ui

    def rebuild_ui(self: NodeItemWidget) -> None:
        old = self.collapse_button
        original(self)
        if old is not None and old is not self.collapse_button and old.scene() is not None:
            old.scene().removeItem(old)

    NodeItemWidget.rebuild_ui = rebuild_ui


@workaround(CORE_QT)
def wires_follow() -> None:
    """flows/nodes/NodeItem.py:436: wires are laid before their node moves, and so stay behind; all else is repainted.

    flows/nodes/PortItem.py:325: the place of a pin is asked for many times, and computed in Python.
    """
    centre = PortItemPin.get_scene_center_pos

    def item_change(self: NodeItem, change: Any, value: Any) -> Any:
        if change == QGraphicsItem.GraphicsItemChange.ItemPositionHasChanged:
            if self.movement_state == MovementEnum.mouse_clicked:
                self.movement_state = MovementEnum.position_changed
            self.update_conn_pos()
        return value

    def centre_of(self: PortItemPin) -> QPointF:
        if self.node_item.collapsed:
            return centre(self)
        place, size = self.scenePos(), self.size()
        return QPointF(place.x() + size.width() / 2, place.y() + size.height() / 2)

    NodeItem.itemChange, PortItemPin.get_scene_center_pos = item_change, centre_of


@workaround(CORE_QT)
def grid() -> None:
    """flows/FlowView.py:707: the grid is drawn dot by dot, from the corner of what is painted: dots swim."""
    original = FlowView.drawBackground

    def draw(self: FlowView, painter: QPainter, rect: QRectF) -> None:
        if not _has_points(self):
            original(self, painter, rect)
            return
        theme = self.session_gui.design.flow_theme
        _, colour, size, step_x, step_y = theme.flow_background_grid
        painter.fillRect(rect, theme.flow_background_brush)
        if self._current_scale >= SMALLEST_GRID:
            pen = QPen(colour, size)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawPoints(grid_points(rect, step_x, step_y))
        self.set_stylus_proxy_pos()
        self.set_menu_proxy_pos()

    FlowView.drawBackground = draw


@workaround(CORE_QT)
def the_grid_moves_with_the_canvas() -> None:
    """flows/FlowView.py:183: all of the grid is drawn again when the canvas is moved.

    Qt moves what it keeps of it, and has the rest drawn.
    """
    reset, change_theme = FlowView.resetCachedContent, FlowView._theme_changed

    def moved(self: FlowView) -> None:
        if not _has_points(self):
            reset(self)

    def theme_changed(self: FlowView, theme: str) -> None:
        change_theme(self, theme)
        reset(self)

    FlowView.resetCachedContent, FlowView._theme_changed = moved, theme_changed


def _has_points(view: FlowView) -> bool:
    return (view.session_gui.design.flow_theme.flow_background_grid or ("",))[0] == "points"


def grid_points(rect: QRectF, step_x: int, step_y: int) -> list[QPointF]:
    """The crossings in ``rect`` of a grid that begins at the origin of the scene."""
    columns = range(-int(-rect.left() // step_x) * step_x, int(rect.right()) + 1, step_x)
    rows = range(-int(-rect.top() // step_y) * step_y, int(rect.bottom()) + 1, step_y)
    return [QPointF(x, y) for x in columns for y in rows]
