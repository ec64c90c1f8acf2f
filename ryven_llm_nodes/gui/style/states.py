"""The colours of states; their words and marks are in :mod:`ryven_llm_nodes.run.states`."""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, GOOD, MUTED, WARN
from ryven_llm_nodes.run.states import tone_of

TONES: Final = {"quiet": MUTED, "active": ACCENT, "good": GOOD, "warn": WARN, "bad": BAD}


def state_colour(status: str) -> str:
    """The colour of a state, or of a status that begins with one."""
    return TONES[tone_of(status)]
