"""The look of the canvas: its theme, and how wires and pins are painted."""

from __future__ import annotations

import math
from typing import Any, Final

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPainterPath, QPen
from ryvencore_qt.src.flows.FlowTheme import FlowTheme_PureDark

from ryven_llm_nodes.gui.style.colours import BODY, BRIGHT, CANVAS, DOTS, EDGE, EDGE_HOVER, MUTED, NEUTRAL, TEXT
from ryven_llm_nodes.gui.style.families import KIND_COLOURS
from ryven_llm_nodes.gui.style.fonts import readable
from ryven_llm_nodes.host.palette import HEADER, SCHEME

TITLE_FONT: Final = ("Poppins", 11)
LABEL_FONT: Final = ("Poppins", 9)
TITLE_PIXELS: Final = 15
LABEL_PIXELS: Final = 12
LABEL_GROWTH: Final = 1.12
"""Labels of ports have little more room than they take."""
ICON_ROOM: Final = 40.0
"""What icon and margins take of the width of a header."""
RADIUS: Final = 9
SHADOW: Final = 120 if SCHEME == "dark" else 40
"""How dark the shadow of a node is, of 255."""


class LLMTheme(FlowTheme_PureDark):
    """Dark or light, with colour only where it has a meaning."""

    name = "llm"
    type_ = SCHEME
    header_padding = (10, 6, 8, 6)
    data_conn_pen_style = Qt.PenStyle.SolidLine
    data_conn_width = 2.4
    flow_background_brush = QBrush(QColor(CANVAS))
    flow_background_grid = ("points", QColor(DOTS), 2, 26, 26)
    node_item_shadow_color = QColor(0, 0, 0, SHADOW)

    @staticmethod
    def interpolate_color(one: QColor, other: QColor, share: float) -> QColor:
        """Works around flows/FlowTheme.py:171 of ryvencore_qt 0.5.0, which mixes up the colours."""
        return QColor(*(round(a + (b - a) * share) for a, b in zip(one.getRgb(), other.getRgb(), strict=True)))

    def paint_NI_title_label(  # Ryven's name
        self, node_gui: Any, selected: bool, hovering: bool, painter: QPainter, option: Any, node_style: str,
        node_title: str, node_color: QColor, rect: QRectF,
    ) -> None:  # fmt: skip
        kind, _, name = node_title.partition(" · ")
        size = readable(TITLE_PIXELS, scale_of(painter), growth=math.inf)
        room = QRectF(rect)
        room.setWidth(node_gui.item.boundingRect().width() - ICON_ROOM)
        room.adjust(0, -size, 0, size)  # it may be higher than the header
        used = _draw(painter, room, kind, size, QFont.Weight.DemiBold, QColor(BRIGHT))
        room.setLeft(room.left() + used + size / 2)
        if name and room.width() > 2 * size:
            _draw(painter, room, name, size - 1 if size == TITLE_PIXELS else size, None, QColor(BRIGHT))

    def paint_PI_label(
        self, node_gui: Any, painter: QPainter, option: Any, type_: str, connected: bool, label_str: str,
        node_color: QColor, rect: QRectF,
    ) -> None:  # fmt: skip
        colour = QColor(TEXT if connected else MUTED)
        if size := readable(LABEL_PIXELS, scale_of(painter), growth=LABEL_GROWTH):
            font = QFont(LABEL_FONT[0])
            font.setPixelSize(size)
            self.paint_PI_label_default(painter, label_str, colour, font, rect)

    def draw_NI_normal(
        self, node_gui: Any, selected: bool, hovered: bool, painter: QPainter, c: QColor, w: float, h: float,
        bounding_rect: QRectF, title_rect: QRectF,
    ) -> None:  # fmt: skip
        body = QRectF(bounding_rect).adjusted(1, 1, -1, -1)
        header = QRectF(body.topLeft(), body.topRight())
        header.setHeight(self.get_header_rect(w, h, title_rect).height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint_body(painter, body, header, c)
        edge = QPen(QColor(c), 2) if selected else QPen(QColor(EDGE_HOVER if hovered else EDGE), 1)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(edge)
        painter.drawRoundedRect(body, RADIUS, RADIUS)


def scale_of(painter: QPainter) -> float:
    """How large one unit is on the screen."""
    return painter.worldTransform().m11()


def _draw(
    painter: QPainter, rect: QRectF, text: str, pixels: int, weight: QFont.Weight | None, colour: QColor
) -> float:
    """Draws as much of ``text`` as there is room for; returns its width."""
    font = QFont(TITLE_FONT[0])
    font.setPixelSize(pixels)
    if weight is not None:
        font.setWeight(weight)
    painter.setFont(font)
    painter.setPen(colour)
    metrics = QFontMetricsF(font)
    short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, _LEFT, short)
    return metrics.horizontalAdvance(short)


_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def _paint_body(painter: QPainter, body: QRectF, header: QRectF, colour: QColor) -> None:
    path = QPainterPath()
    path.addRoundedRect(body, RADIUS, RADIUS)
    painter.fillPath(path, QColor(BODY))
    fade = QLinearGradient(header.topLeft(), header.topRight())
    for place, alpha in enumerate(HEADER[SCHEME]):
        stop = QColor(colour)
        stop.setAlpha(alpha)
        fade.setColorAt(place, stop)
    painter.save()
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
    painter.fillRect(header, QBrush(fade))
    painter.restore()


def kind_colour(kind: str) -> QColor:
    """The colour of wires and pins of ``kind``."""
    return QColor(KIND_COLOURS.get(kind, NEUTRAL))


def paint_pin(painter: QPainter, kind: str, connected: bool, hovered: bool, fits: bool | None = None) -> None:
    """A pin: a ring, filled if connected, with a halo under the pointer.

    While a wire is dragged, those that it ``fits`` glow, and the others fade.
    """
    colour = kind_colour(kind)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if fits is False:
        painter.setOpacity(painter.opacity() * 0.3)
    if hovered or fits:
        halo = QColor(colour)
        halo.setAlpha(120 if fits else 70)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(halo)
        painter.drawEllipse(QRectF(0.5, 0.5, 16, 16))
    painter.setPen(QPen(QColor(BRIGHT) if fits else colour, 1.8))
    painter.setBrush(colour if connected or fits else QColor(CANVAS))
    painter.drawEllipse(QRectF(4, 4, 9, 9))
