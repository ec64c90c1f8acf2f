"""What the user of this machine has chosen, for all windows and flows."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.system.files import write_whole
from ryven_llm_nodes.system.userdirs import state_dir


def file() -> Path:
    """Where the choices are kept."""
    return state_dir() / "preferences.json"


def read(name: str) -> Any:
    """The choice called ``name``; None if there was none, or the file cannot be read."""
    return _all().get(name)


def _all() -> dict[str, Any]:
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def keep(name: str, value: Any) -> None:
    """Keeps a choice; where that is not possible, it is valid until the editor is closed."""
    with suppress(LLMNodesError, OSError):
        file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file(), json.dumps(_all() | {name: value}), private=True)
