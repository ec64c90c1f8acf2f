"""Writes files whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ryven_llm_nodes.errors import UsageError, one_line


def _mode(path: Path) -> int:
    """The permissions of the file at ``path``, or those that a new file gets; a temporary one is private."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    os.umask(mask := os.umask(0o077))
    return 0o666 & ~mask


def write_whole(path: Path, text: str) -> None:
    """Writes ``text`` to ``path`` through a temporary file beside it and a rename.

    Raises UsageError where that cannot be done; what was at ``path`` is then as it was.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise UsageError(one_line(f"cannot write {path}: {reason}; choose another place.")) from error
