"""The fonts of panels, and of what is painted on the canvas."""

from __future__ import annotations

import math
from typing import Final

from qtpy.QtGui import QFont

MONO: Final = ("Source Code Pro", "JetBrains Mono", "DejaVu Sans Mono", "Menlo", "Consolas", "monospace")


SMALLEST: Final = 11
"""Pixels on the screen below which no text is shown."""
LARGEST_GROWTH: Final = 1.75
"""How much larger than it was designed a text on the canvas may become, so that it still has its room."""


def readable(pixels: float, scale: float, growth: float = LARGEST_GROWTH) -> int:
    """The size of a text of ``pixels`` on a canvas that is shown at ``scale``: at least 11 pixels on the screen.

    0 where it would have to grow beyond its room, and is not shown.
    """
    size = max(pixels, math.ceil(SMALLEST / scale)) if scale > 0 else 0
    return round(size) if 0 < size <= growth * pixels else 0


def mono_font(pixels: int = 12) -> QFont:
    """A monospaced font that exists on every system."""
    font = QFont()
    font.setFamilies(list(MONO))
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(pixels)
    return font
