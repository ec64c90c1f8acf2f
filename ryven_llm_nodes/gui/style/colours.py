"""The colours by name, as the table in ``host/palette.py`` gives them for this process."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.host.palette import colour

WINDOW: Final = colour("window")
BAR: Final = colour("bar")
BACKGROUND: Final = colour("background")
SURFACE: Final = colour("surface")
FIELD: Final = colour("field")
HOVER: Final = colour("hover")
PRESSED: Final = colour("pressed")
STRIPE: Final = colour("stripe")
SELECTION: Final = colour("selection")
CHOSEN: Final = colour("chosen")
BORDER: Final = colour("border")
BORDER_HOVER: Final = colour("border_hover")
HANDLE: Final = colour("handle")
HANDLE_HOVER: Final = colour("handle_hover")
GRID: Final = colour("grid")
TEXT: Final = colour("text")
BRIGHT: Final = colour("bright")
MUTED: Final = colour("muted")
FAINT: Final = colour("faint")
ACCENT: Final = colour("accent")
GOOD: Final = colour("good")
WARN: Final = colour("warn")
VIOLET: Final = colour("violet")
BAD: Final = colour("bad")
OUTPUT: Final = colour("output")
TEAL: Final = colour("teal")
YELLOW: Final = colour("yellow")
ROSE: Final = colour("rose")
NEUTRAL: Final = colour("neutral")
TRAINED: Final = colour("trained")
TRAINED_NEXT: Final = colour("trained_next")
CUT: Final = colour("cut")
CANVAS: Final = colour("canvas")
DOTS: Final = colour("dots")
BODY: Final = colour("body")
EDGE: Final = colour("edge")
EDGE_HOVER: Final = colour("edge_hover")
WELL: Final = colour("well")

FAMILY_COLOURS: Final = {
    "source": ACCENT,
    "adapter": VIOLET,
    "reward": WARN,
    "trainer": colour("trainer"),
    "output": OUTPUT,
}
SERIES_COLOURS: Final = (ACCENT, GOOD, WARN, VIOLET, OUTPUT, TEAL, YELLOW, colour("blue"))
RUN_COLOURS: Final = tuple(colour(f"run_{number}") for number in range(1, 9))
