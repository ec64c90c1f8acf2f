"""What a widget really writes: each text with its font, ink and place, whoever paints it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from qtpy.QtCore import QPoint, QPointF, QRectF
from qtpy.QtGui import QColor, QPaintDevice, QPaintEngine, QPainter, QRegion
from qtpy.QtWidgets import QWidget

DPI: Final = 96
_METRIC: Final = QPaintDevice.PaintDeviceMetric


@dataclass(frozen=True)
class DrawnText:
    """A text: its font's ``pixels`` (device-independent), its ``ink``, its ``place`` in the widget, and what of that
    the painter lets through (``clip``)."""

    text: str
    pixels: float
    ink: QColor
    place: QRectF
    clip: QRectF


class _Engine(QPaintEngine):
    """Takes texts down, and paints nothing."""

    def __init__(self, room: QRectF) -> None:
        super().__init__(QPaintEngine.PaintEngineFeature.AllFeatures)
        self.room = room
        self.found: list[DrawnText] = []

    def begin(self, device: Any) -> bool:
        return True

    def end(self) -> bool:
        return True

    def type(self) -> Any:
        return QPaintEngine.Type.User

    def drawTextItem(self, point: Any, item: Any) -> None:
        painter, font = self.painter(), item.font()
        if not item.text().strip() or (painter.hasClipping() and painter.clipRegion().isEmpty()):
            return  # Qt paints a text once more for each mark in it, clipped to what is marked
        to_widget = painter.deviceTransform()
        pixels = font.pixelSize() if font.pixelSize() > 0 else font.pointSizeF() * DPI / 72
        corner = QPointF(point) - QPointF(0, item.ascent())
        place = QRectF(corner.x(), corner.y(), item.width(), item.ascent() + item.descent())
        clip = to_widget.mapRect(painter.clipBoundingRect()) if painter.hasClipping() else self.room
        ink = QColor(painter.pen().color())
        ink.setAlphaF(ink.alphaF() * painter.opacity())
        scale = abs(to_widget.determinant()) ** 0.5
        self.found.append(DrawnText(item.text(), pixels * scale, ink, to_widget.mapRect(place), clip & self.room))

    def _nothing(self, *what: Any) -> None:
        """Not a text."""

    updateState = drawPixmap = drawImage = drawPath = drawPolygon = drawRects = drawLines = _nothing
    drawPoints = drawEllipse = drawTiledPixmap = _nothing


class _Page(QPaintDevice):
    """Of the size of a widget, and as dense as a screen without a scale."""

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.engine = _Engine(QRectF(0, 0, size.width(), size.height()))
        self._metrics = {
            _METRIC.PdmWidth: size.width(),
            _METRIC.PdmHeight: size.height(),
            _METRIC.PdmDepth: 32,
            _METRIC.PdmNumColors: 2**24,
            _METRIC.PdmDevicePixelRatio: 1,
            _METRIC.PdmDevicePixelRatioScaled: 2**16,
        }

    def paintEngine(self) -> QPaintEngine:
        return self.engine

    def metric(self, which: Any) -> int:
        return self._metrics.get(which, DPI)


@contextmanager
def _painting(page: _Page) -> Iterator[QPainter]:
    painter = QPainter()
    assert painter.begin(page)
    try:
        yield painter
    finally:
        painter.end()


def texts_of(widget: QWidget) -> list[DrawnText]:
    """What ``widget`` itself writes, without its children."""
    page = _Page(widget.size())
    with _painting(page) as painter:
        QWidget.render(widget, painter, QPoint(), QRegion(), QWidget.RenderFlag(0))
    return page.engine.found
