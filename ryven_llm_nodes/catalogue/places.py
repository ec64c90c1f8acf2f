"""Locations as users write them: a Hub id, or a file or folder, absolute or relative to the flow file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.cell import literal
from ryven_llm_nodes.errors import shown

ROOT: Final = "ROOT"
"""The name that a script gives to the folder that relative paths are looked up in."""


def looks_local(location: str) -> bool:
    """Whether ``location`` can only be meant as a path: it starts like one, or is no ``name`` or ``owner/name``."""
    return (
        location.startswith((".", "/", "~", "\\"))
        or location.count("/") > 1
        or Path(location).is_absolute()
        or "\\" in location
    )


def resolve(location: str, root: Path) -> Path:
    """``location`` as a path; a relative one lies under ``root``."""
    return root / os.path.expanduser(location)  # which leaves an unknown ~user unchanged


def is_local(location: str, root: Path) -> bool:
    """Whether ``location`` means a path: it looks like one, or there is such a file or folder."""
    try:
        return looks_local(location) or resolve(location, root).exists()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, an unknown user: not a path
        return False


def path_expression(location: str) -> str:
    """A Python expression for a local ``location``, as a string."""
    if location.startswith("~"):
        return f"str(Path({literal(location)}).expanduser())"
    if Path(location).is_absolute():
        return literal(location)
    return f"str({ROOT} / {literal(location)})"


def unwritable(location: str) -> str | None:
    """Why nothing can be written to ``location``, on any machine, or None."""
    try:
        longest = max(len(part) for part in os.fsencode(location).split(b"/"))
        if "\0" not in location and longest < 256 and not os.path.expanduser(location).startswith("~"):
            return None
    except UnicodeEncodeError:  # a lone surrogate
        pass
    return f"cannot be written to, got {shown(location)}; give the name of a file or folder."


def location_expression(location: str, root: Path) -> str:
    """A Python expression for a ``location`` that is a Hub id or local."""
    return path_expression(location) if is_local(location, root) else literal(location)


def _starts_anew(location: str) -> bool:
    return location.startswith("~") or Path(location).is_absolute()


def leaves(location: str) -> bool:
    """Whether what is written to ``location`` may end up outside the output folder of the run."""
    return _starts_anew(location) or bool(Path(location).anchor) or os.pardir in Path(location).parts


def lacks(file: Path, mark: str) -> bool:
    """Whether ``file`` exists and ``mark`` is not in its first megabyte."""
    if "\0" in str(file) or not os.path.isfile(file):
        return False
    try:
        with file.open("rb") as data:
            return mark.encode() not in data.read(min(file.stat().st_size, 2**20))
    except OSError:
        return True
