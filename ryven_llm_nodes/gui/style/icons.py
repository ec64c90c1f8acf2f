"""The icons, drawn by hand: sharp at any size, and in any colour."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QImage, QPainter, QPen, QPixmap, QPolygonF

Draw = Callable[[QPainter, QColor], None]
SIZE: Final = 32.0


def _points(*pairs: tuple[float, float]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in pairs])


def _fill(painter: QPainter, colour: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)


def _stroke(painter: QPainter, colour: QColor, width: float = 3.0) -> None:
    style = Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    painter.setPen(QPen(colour, width, *style))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _play(p: QPainter, c: QColor) -> None:
    _fill(p, c)
    p.drawPolygon(_points((8, 4), (28, 16), (8, 28)))


def _stop(p: QPainter, c: QColor) -> None:
    _fill(p, c)
    p.drawRoundedRect(QRectF(6, 6, 20, 20), 4, 4)


def _keep(p: QPainter, c: QColor) -> None:
    """On to the next one."""
    _fill(p, c)
    p.drawPolygon(_points((5, 5), (21, 16), (5, 27)))
    p.drawRoundedRect(QRectF(22, 5, 5, 22), 2, 2)


def _check(p: QPainter, c: QColor) -> None:
    _stroke(p, c, 4)
    p.drawPolyline(_points((6, 17), (13, 25), (26, 8)))


def _code(p: QPainter, c: QColor) -> None:
    _stroke(p, c, 3.4)
    p.drawPolyline(_points((11, 8), (4, 16), (11, 24)))
    p.drawPolyline(_points((21, 8), (28, 16), (21, 24)))


def _model(p: QPainter, c: QColor) -> None:
    """A small network."""
    _stroke(p, c, 2)
    left, middle, right = ((6, 9), (6, 23)), ((16, 5), (16, 16), (16, 27)), ((26, 16),)
    for one, other in ((left, middle), (middle, right)):
        for start in one:
            for end in other:
                p.drawLine(QPointF(*start), QPointF(*end))
    _fill(p, c)
    for place in (*left, *middle, *right):
        p.drawEllipse(QPointF(*place), 3.4, 3.4)


def _dataset(p: QPainter, c: QColor) -> None:
    """A stack of discs."""
    _stroke(p, c, 2.6)
    p.drawEllipse(QRectF(5, 4, 22, 8))
    for top in (8.0, 16.0, 24.0):
        p.drawArc(QRectF(5, top - 4, 22, 8), 180 * 16, 180 * 16)
    p.drawLine(QPointF(5, 8), QPointF(5, 24))
    p.drawLine(QPointF(27, 8), QPointF(27, 24))


def _reward(p: QPainter, c: QColor) -> None:
    """A star."""
    from math import cos, pi, sin

    _fill(p, c)
    radii = (13, 5.6) * 5
    corners = [(16 + r * sin(i * pi / 5), 16.5 - r * cos(i * pi / 5)) for i, r in enumerate(radii)]
    p.drawPolygon(_points(*corners))


def _adapter(p: QPainter, c: QColor) -> None:
    """Two thin matrices."""
    _stroke(p, c, 2.6)
    p.drawRoundedRect(QRectF(5, 4, 7, 24), 2, 2)
    p.drawRoundedRect(QRectF(16, 12.5, 12, 7), 2, 2)


def _trainer(p: QPainter, c: QColor) -> None:
    """A falling curve with its axes."""
    _stroke(p, c, 2.6)
    p.drawPolyline(_points((4, 4), (4, 28), (28, 28)))
    p.drawPolyline(_points((8, 7), (12, 16), (17, 19), (21, 22.5), (27, 23)))


def _save(p: QPainter, c: QColor) -> None:
    """An arrow into a tray."""
    _stroke(p, c, 3)
    p.drawLine(QPointF(16, 4), QPointF(16, 19))
    p.drawPolyline(_points((9, 13), (16, 20), (23, 13)))
    p.drawPolyline(_points((4, 21), (4, 28), (28, 28), (28, 21)))


def _bad(p: QPainter, c: QColor) -> None:
    p.setPen(QPen(QColor("#14181f"), 2.4))
    p.setBrush(c)
    p.drawEllipse(QRectF(2, 2, 28, 28))
    _stroke(p, QColor("white"), 4)
    p.drawLine(QPointF(16, 9), QPointF(16, 17))
    p.drawPoint(QPointF(16, 23))


GLYPHS: Final[dict[str, Draw]] = {
    "play": _play,
    "stop": _stop,
    "keep": _keep,
    "check": _check,
    "code": _code,
    "model": _model,
    "dataset": _dataset,
    "reward": _reward,
    "adapter": _adapter,
    "trainer": _trainer,
    "save": _save,
    "bad": _bad,
}


@lru_cache
def glyph(name: str, colour: str, pixels: int = 64) -> QImage:
    """The glyph ``name`` as a square image."""
    image = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(pixels / SIZE, pixels / SIZE)
    GLYPHS[name](painter, QColor(colour))
    painter.end()
    return image


@lru_cache
def icon(name: str, colour: str) -> QIcon:
    """The glyph ``name`` as an icon, fainter where it is disabled."""
    made = QIcon(QPixmap.fromImage(glyph(name, colour)))
    made.addPixmap(QPixmap.fromImage(glyph(name, "#46505c")), QIcon.Mode.Disabled)
    return made
