"""The digests of the local files that a step reads by itself, not along a wire."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.files import File

SETTLED_NS: Final = 2_000_000_000
"""After this time, another change of a file changes its modification time on any file system."""


def digests_of(files: Iterable[File]) -> dict[str, str]:
    """The digest of every one of ``files``, by its name."""
    return {name: digest_of(file) for name, file in files}


_known: dict[Path, tuple[tuple[int, ...], str]] = {}


def digest_of(file: Path) -> str:
    """The sha256 of a file; read again only if it may have changed. For a file that cannot be read, the reason."""
    try:
        found = file.stat()
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        before = _known.get(file)
        if before is not None and before[0] == state:
            return before[1]
        digest = _sha256(file)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > SETTLED_NS:
        _known[file] = state, digest
    return digest


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
