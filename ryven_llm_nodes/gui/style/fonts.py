"""The fonts of panels, and of what is painted on the canvas."""

from __future__ import annotations

from typing import Final

from qtpy.QtGui import QFont

MONO: Final = ("Source Code Pro", "JetBrains Mono", "DejaVu Sans Mono", "Menlo", "Consolas", "monospace")


def mono_font(pixels: int = 12) -> QFont:
    """A monospaced font that exists on every system."""
    font = QFont()
    font.setFamilies(list(MONO))
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(pixels)
    return font
