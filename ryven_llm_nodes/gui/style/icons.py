"""The icons: an SVG file each in ``svg/``, in any colour."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QImage, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

from ryven_llm_nodes.gui.style.colours import FAINT

FOLDER: Final = Path(__file__).with_name("svg")
DISABLED: Final = FAINT


@lru_cache
def glyph(name: str, colour: str, pixels: int = 64) -> QImage:
    """The file ``svg/<name>.svg`` as a square image; what it paints in ``currentColor`` gets this colour."""
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    image = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(text.encode()).render(painter)
    painter.end()
    return image


@lru_cache
def icon(name: str, colour: str) -> QIcon:
    """The glyph ``name`` as an icon, fainter where it is disabled."""
    made = QIcon(QPixmap.fromImage(glyph(name, colour)))
    made.addPixmap(QPixmap.fromImage(glyph(name, DISABLED)), QIcon.Mode.Disabled)
    return made
