"""Where what belongs to the user and not to a project is kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

OVERRIDE: Final = "RYVEN_LLM_STATE"
"""The variable of the environment that names another folder."""


def state_dir() -> Path:
    """The folder for what the editor remembers of its user; it may not exist yet, and is to be made private (0700)."""
    if chosen := os.environ.get(OVERRIDE):
        return Path(chosen)
    if sys.platform == "win32":
        return _absolute("LOCALAPPDATA", Path.home() / "AppData" / "Local") / "ryven-llm"
    return _absolute("XDG_STATE_HOME", Path.home() / ".local" / "state") / "ryven-llm"


def _absolute(variable: str, otherwise: Path) -> Path:
    """The folder that ``variable`` names; one that is relative is ignored, as the XDG specification has it."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else otherwise
