"""The flow files that were opened or saved last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ryven_llm_nodes.gui.state import preferences

MOST: Final = 12
NAME: Final = "recent"


def recent() -> list[Path]:
    """Those that still are there, the last one first."""
    kept = preferences.read(NAME)
    names = [name for name in kept if isinstance(name, str)] if isinstance(kept, list) else []
    return [Path(name) for name in names if "\0" not in name and os.path.isfile(name)]


def remember(path: Path) -> None:
    """``path`` was opened or saved."""
    full = Path(os.path.abspath(path))
    others = [one for one in recent() if one != full]
    preferences.keep(NAME, [str(one) for one in [full, *others][:MOST]])
