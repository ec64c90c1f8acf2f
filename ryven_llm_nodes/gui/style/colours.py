"""The palette: every colour with a meaning."""

from __future__ import annotations

from typing import Final

BACKGROUND: Final = "#12161c"
SURFACE: Final = "#1a2028"
FIELD: Final = "#222932"
BORDER: Final = "#323b47"
TEXT: Final = "#d7dde5"
BRIGHT: Final = "#f2f5f9"
MUTED: Final = "#8d99a8"
FAINT: Final = "#5c6775"
ACCENT: Final = "#4ea1ff"
GOOD: Final = "#5fd38d"
WARN: Final = "#f2b04f"
VIOLET: Final = "#c58cff"
BAD: Final = "#ff5470"

FAMILY_COLOURS: Final = {
    "source": ACCENT,
    "adapter": VIOLET,
    "reward": WARN,
    "trainer": "#f06292",
    "output": "#ff7a90",
}
SERIES_COLOURS: Final = (ACCENT, GOOD, WARN, VIOLET, "#ff7a90", "#4fd1c5", "#e6d35a", "#9aa8ff")
