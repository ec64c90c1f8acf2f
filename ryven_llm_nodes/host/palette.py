"""The colours of the editor: one table, with a dark and a light value for each meaning, and which of them is used."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Final, Literal

from ryven_llm_nodes.system.userdirs import state_dir

Scheme = Literal["dark", "light"]
SCHEMES: Final[tuple[Scheme, ...]] = ("dark", "light")
CHOICE: Final = "appearance"
"""The name of the user's choice among the preferences: ``system``, ``dark`` or ``light``."""
VARIABLE: Final = "RYVEN_LLM_APPEARANCE"
"""An environment variable that comes before the choice."""

PALETTE: Final[Mapping[str, tuple[str, str]]] = {
    # surfaces
    "window": ("#0f1318", "#dfe4ea"),
    "bar": ("#171b21", "#e9edf1"),
    "background": ("#12161c", "#f6f8fa"),
    "surface": ("#1a2028", "#ffffff"),
    "field": ("#222932", "#eceff3"),
    "hover": ("#2d3642", "#dfe5ec"),
    "pressed": ("#1b2027", "#d5dce4"),
    "stripe": ("#161b22", "#eff2f6"),
    "selection": ("#2c5f9e", "#b9d6f8"),
    "chosen": ("#1c3453", "#d3e5fb"),
    # lines
    "border": ("#323b47", "#c3cbd5"),
    "border_hover": ("#465364", "#93a0af"),
    "handle": ("#36414f", "#b6c0cb"),
    "handle_hover": ("#4a586a", "#93a0af"),
    "grid": ("#232a33", "#dde3e9"),
    # text
    "text": ("#d7dde5", "#1f2733"),
    "bright": ("#f2f5f9", "#0b1016"),
    "muted": ("#98a3b0", "#545f6b"),
    "faint": ("#5c6775", "#8d98a5"),
    # meanings
    "accent": ("#4ea1ff", "#0a5dbd"),
    "good": ("#5fd38d", "#17703a"),
    "warn": ("#f2b04f", "#855300"),
    "violet": ("#c58cff", "#7438bd"),
    "bad": ("#ff6b84", "#bd1436"),
    "trainer": ("#f06292", "#b0225a"),
    "output": ("#ff7a90", "#b02c45"),
    "teal": ("#4fd1c5", "#0d6e66"),
    "yellow": ("#e6d35a", "#6f6000"),
    "blue": ("#9aa8ff", "#3f50bf"),
    "rose": ("#ff9db0", "#a33350"),
    "neutral": ("#98a3b0", "#545f6b"),
    # runs in one plot: told apart by those who see red and green, or blue and yellow, alike; each has its own dashes
    "run_1": ("#5ab4f0", "#0060a8"),
    "run_2": ("#f0a202", "#8a4b00"),
    "run_3": ("#2fc79a", "#006b4f"),
    "run_4": ("#f4e66a", "#655c00"),
    "run_5": ("#ff8a5c", "#b02f00"),
    "run_6": ("#dd9bd0", "#8a2f78"),
    "run_7": ("#e6edf5", "#2b323c"),
    "run_8": ("#97a2ff", "#4038b8"),
    # findings
    "bad_ground": ("#3a1822", "#fde8ed"),
    "bad_ink": ("#ffc2cd", "#7d0f26"),
    "warn_ground": ("#352a17", "#fdf2de"),
    "warn_ink": ("#ffe0ad", "#5f3c00"),
    "note_ground": ("#16283c", "#e3f0fe"),
    "note_ink": ("#c3ddff", "#0a3f80"),
    # tokens
    "trained": ("#173d29", "#d7f1e1"),
    "trained_next": ("#1f5137", "#c0e7cf"),
    "cut": ("#421a24", "#fbe0e6"),
    # the canvas
    "canvas": ("#15191f", "#eef1f5"),
    "dots": ("#2a313b", "#cfd6de"),
    "body": ("#1f252d", "#ffffff"),
    "edge": ("#38414d", "#b9c2cd"),
    "edge_hover": ("#4a5563", "#8d99a6"),
    "well": ("#12161c", "#f2f5f8"),
}
"""By meaning: the dark value, and the light one. A test measures the contrast of text on what lies below it."""
HEADER: Final[Mapping[Scheme, tuple[int, int]]] = {"dark": (118, 56), "light": (96, 40)}
"""How much of its colour the header of a node shows, of 255, at its left and its right end."""


def chosen() -> str:
    """What the user wants: ``system``, ``dark`` or ``light``."""
    wanted = os.environ.get(VARIABLE) or _preference()
    return wanted if wanted in SCHEMES else "system"


def _preference() -> str:
    try:
        found = json.loads((state_dir() / "preferences.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    wanted = found.get(CHOICE) if isinstance(found, dict) else ""
    return wanted if isinstance(wanted, str) else ""


def scheme() -> Scheme:
    """The scheme that is used from now on: as chosen, else that of the system, else the dark one."""
    wanted = chosen()
    if wanted != "system":
        return "light" if wanted == "light" else "dark"
    return "light" if _system_is_light() else "dark"


def _system_is_light() -> bool:
    """Whether the desktop asks for light windows; unknown before there is an application."""
    from qtpy.QtCore import Qt
    from qtpy.QtGui import QGuiApplication

    app = QGuiApplication.instance()
    return app is not None and QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light


SCHEME: Final[Scheme] = scheme()
"""That of this process: widgets keep the colours that they were made with."""


def colour(name: str, of: Scheme = SCHEME) -> str:
    """The colour with the meaning ``name``."""
    return PALETTE[name][SCHEMES.index(of)]
