"""Writes the page of results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from journeys import JOURNEYS

HEAD: Final = """\
# Journeys

What somebody does who wants something of the editor
"""


def write_page(folder: Path, found: Mapping[str, Mapping[str, Any]]) -> None:
    """``README.md`` in ``folder``."""
    _ = JOURNEYS
    (folder / "README.md").write_text(HEAD, encoding="utf-8")
