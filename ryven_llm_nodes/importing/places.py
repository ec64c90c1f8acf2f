"""Paths in a configuration, which are relative to where its program is started, as paths of the flow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """``bases`` are the folders that relative paths may mean, the first one first; ``root`` that of the flow."""

    bases: tuple[Path, ...]
    root: Path

    def of(self, location: str) -> str:
        """``location`` as the flow names it: what is there keeps its meaning, all else stays (a Hub id)."""
        found = self.found(location)
        if found is None or os.path.isabs(os.path.expanduser(location)):
            return location
        try:
            relative = Path(os.path.relpath(found.resolve(), self.root.resolve())).as_posix()
        except ValueError:  # another drive of Windows
            return str(found.resolve())
        return relative if relative != "." else "./"

    def found(self, location: str) -> Path | None:
        """The file or folder that ``location`` means, if there is one."""
        if not location or "\0" in location:
            return None
        for base in self.bases:
            place = base / os.path.expanduser(location)
            if os.path.exists(place):  # False for a name that is too long
                return place
        return None
