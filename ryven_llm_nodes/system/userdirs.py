"""Folders for data of the user that do not belong to a project."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

OVERRIDE: Final = "RYVEN_LLM_STATE"
"""The environment variable that names another folder."""


def state_dir() -> Path:
    """The folder for the editor's data of its user; it may not exist yet, and should be created private (0700)."""
    if chosen := os.environ.get(OVERRIDE):
        return Path(chosen)
    if sys.platform == "win32":
        return _absolute("LOCALAPPDATA", Path.home() / "AppData" / "Local") / "ryven-llm"
    return _absolute("XDG_STATE_HOME", Path.home() / ".local" / "state") / "ryven-llm"


def _absolute(variable: str, otherwise: Path) -> Path:
    """The folder that ``variable`` names; a relative one is ignored, as the XDG specification says."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else otherwise
