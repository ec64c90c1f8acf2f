"""Sweeps name nodes: what becomes of their text when nodes get other names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

REFERRING: Final = ("vary", "metric", "prune")
"""The parameters of a node with a sweep whose lines begin with the name of a node."""


def with_names(text: str, moved: Mapping[str, str]) -> str:
    """``text`` with each ``NODE.`` at the start of a line as it is called now; ``moved`` has new names by the old."""
    return re.sub(r"(?m)^(\s*)(\w+)(?=\.)", lambda found: found[1] + moved.get(found[2], found[2]), text)
