"""The name and the note that the user gives to a run: next to its record, which a run may still be writing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.system.files import write_whole

LABEL: Final = "label.json"
LONGEST_NAME: Final = 80
LONGEST_NOTE: Final = 20_000
"""Characters that are kept."""


@dataclass(frozen=True)
class Label:
    """A name in one line, and a note of any number of lines; empty where the user has given none."""

    name: str = ""
    note: str = ""


def label_of(record: Path) -> Label:
    """The label of the run whose record is ``record``; an empty one where there is none that can be read."""
    try:
        found = json.loads((record / LABEL).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Label()
    found = found if isinstance(found, dict) else {}
    return _clean(found.get("name"), found.get("note"))


def write_label(record: Path, label: Label) -> None:
    """Gives the run whose record is ``record`` this label, atomically. Raises UsageError."""
    clean = _clean(label.name, label.note)
    write_whole(record / LABEL, json.dumps(asdict(clean), ensure_ascii=False, indent=2) + "\n")


def _clean(name: Any, note: Any) -> Label:
    """Names are shown in tables, so they are one line; what JSON holds may be of any type."""
    line = " ".join(_text(name).split())
    return Label(line[:LONGEST_NAME], _text(note).strip()[:LONGEST_NOTE])


def _text(value: Any) -> str:
    """``value`` if it is text that can be written as UTF-8."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
