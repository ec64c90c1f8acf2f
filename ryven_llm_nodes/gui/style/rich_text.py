"""Text for Qt's rich text: escaped, in colour, bold. All text from users and files goes through here."""

from __future__ import annotations

from html import escape

from ryven_llm_nodes.gui.style.colours import BRIGHT

__all__ = ["bold", "coloured", "escape"]


def coloured(text: str, colour: str) -> str:
    """``text``, escaped, in ``colour``."""
    return f'<span style="color: {colour}">{escape(text)}</span>'


def bold(text: str, colour: str = BRIGHT) -> str:
    """``text``, escaped and bold."""
    return f'<b style="color: {colour}">{escape(text)}</b>'
