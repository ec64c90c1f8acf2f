"""The look of the canvas: its theme, and how wires and pins are painted."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QLinearGradient, QPainter, QPainterPath, QPen
from ryvencore_qt.src.flows.FlowTheme import FlowTheme_PureDark

from ryven_llm_nodes.gui.style.families import KIND_COLOURS, NEUTRAL

CANVAS: Final = "#15191f"
BODY: Final = "#1f252d"
EDGE: Final = "#38414d"
TITLE_FONT: Final = ("Poppins", 11)
LABEL_FONT: Final = ("Poppins", 9)
RADIUS: Final = 9


class LLMTheme(FlowTheme_PureDark):
    """Dark, with colour only where it has a meaning."""

    name = "llm"
    type_ = "dark"
    header_padding = (10, 6, 8, 6)
    data_conn_pen_style = Qt.PenStyle.SolidLine
    data_conn_width = 2.4
    flow_background_brush = QBrush(QColor(CANVAS))
    flow_background_grid = ("points", QColor("#2a313b"), 2, 26, 26)
    node_item_shadow_color = QColor(0, 0, 0, 110)

    @staticmethod
    def interpolate_color(one: QColor, other: QColor, share: float) -> QColor:
        """Works around flows/FlowTheme.py:171 of ryvencore_qt 0.5.0, which mixes up the colours."""
        return QColor(*(round(a + (b - a) * share) for a, b in zip(one.getRgb(), other.getRgb(), strict=True)))

    def paint_NI_title_label(  # Ryven's name
        self, node_gui: Any, selected: bool, hovering: bool, painter: QPainter, option: Any, node_style: str,
        node_title: str, node_color: QColor, rect: QRectF,
    ) -> None:  # fmt: skip
        kind, _, name = node_title.partition(" · ")
        font = QFont(*TITLE_FONT)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor("#f2f5f9"))
        painter.drawText(rect, _LEFT, kind)
        if name:
            rest = QRectF(rect)
            rest.setLeft(rect.left() + painter.fontMetrics().horizontalAdvance(f"{kind}  "))
            painter.setFont(QFont(TITLE_FONT[0], TITLE_FONT[1] - 1))
            painter.setPen(QColor(242, 245, 249, 170))
            painter.drawText(rest, _LEFT, name)

    def paint_PI_label(
        self, node_gui: Any, painter: QPainter, option: Any, type_: str, connected: bool, label_str: str,
        node_color: QColor, rect: QRectF,
    ) -> None:  # fmt: skip
        colour = QColor("#d5dbe3" if connected else "#98a3b0")
        self.paint_PI_label_default(painter, label_str, colour, QFont(*LABEL_FONT), rect)

    def draw_NI_normal(
        self, node_gui: Any, selected: bool, hovered: bool, painter: QPainter, c: QColor, w: float, h: float,
        bounding_rect: QRectF, title_rect: QRectF,
    ) -> None:  # fmt: skip
        body = QRectF(bounding_rect).adjusted(1, 1, -1, -1)
        header = QRectF(body.topLeft(), body.topRight())
        header.setHeight(self.get_header_rect(w, h, title_rect).height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint_body(painter, body, header, c)
        edge = QPen(QColor(c), 2) if selected else QPen(QColor("#4a5563" if hovered else EDGE), 1)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(edge)
        painter.drawRoundedRect(body, RADIUS, RADIUS)


_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def _paint_body(painter: QPainter, body: QRectF, header: QRectF, colour: QColor) -> None:
    path = QPainterPath()
    path.addRoundedRect(body, RADIUS, RADIUS)
    painter.fillPath(path, QColor(BODY))
    fade = QLinearGradient(header.topLeft(), header.topRight())
    for place, alpha in ((0, 205), (1, 75)):
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
    painter.setPen(QPen(QColor("#ffffff") if fits else colour, 1.8))
    painter.setBrush(colour if connected or fits else QColor(CANVAS))
    painter.drawEllipse(QRectF(4, 4, 9, 9))
