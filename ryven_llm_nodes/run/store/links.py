"""Names of stages in an output folder: links into its store, relative ones, so that the folder can be moved.

A name is changed only by an atomic rename, so that a crash leaves the old or the new link. A link
that waits for its name is called ``.<name>.link``; the next run puts it in place, if the name is free.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

STORE: Final = "store"
"""The folder of cached stages in an output folder; no stage can have this name."""
NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""Errors of file systems without symbolic links, and of Windows if the user may not create any."""
LENGTH: Final = 16
"""Digits of a key's digest that name an entry of the store; its record holds all of them."""


def entry_of(output_dir: Path, digest: str) -> Path:
    """The folder in the store of ``output_dir`` for the stage whose key has ``digest``."""
    return output_dir / STORE / digest[:LENGTH]


def why_no_links(output_dir: Path) -> str:
    """Why ``output_dir`` can have no symbolic links, as on FAT or without rights on Windows; empty if it can.

    Raises OSError if nothing can be written there at all.
    """
    probe = output_dir / f".{STORE}.probe"
    try:
        probe.unlink(missing_ok=True)
        os.symlink(STORE, probe, target_is_directory=True)
        probe.unlink()
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return error.strerror or str(error)
    return ""


def entry_name(path: Path) -> str:
    """The entry of the store that the link ``path`` leads to, existing or not; empty for anything else."""
    if not path.is_symlink():
        return ""
    parts = Path(os.readlink(path)).parts
    return parts[1] if len(parts) == 2 and parts[0] == STORE else ""


def names_in(output_dir: Path) -> Iterator[tuple[str, str]]:
    """Every name in ``output_dir`` that leads into its store, with the entry that it leads to."""
    for path in sorted(output_dir.iterdir()):
        if not path.name.startswith(".") and (entry := entry_name(path)):
            yield path.name, entry


def lead(output_dir: Path, name: str, digest: str) -> Path | None:
    """Makes ``name`` lead to the entry of ``digest``; returns where a file or folder not made by a run was moved to."""
    place, entry = output_dir / name, entry_of(output_dir, digest)
    if entry_name(place) == entry.name:
        return None
    waiting = await_name(output_dir, name, digest)
    moved = set_aside(place) if os.path.lexists(place) and not entry_name(place) else None
    take_name(waiting, place)
    return moved


def await_name(output_dir: Path, name: str, digest: str) -> Path:
    """A link to the entry of ``digest`` that waits for ``name``."""
    waiting = output_dir / f".{name}.link"
    waiting.unlink(missing_ok=True)
    os.symlink(os.path.join(STORE, digest[:LENGTH]), waiting, target_is_directory=True)
    return waiting


def take_name(waiting: Path, place: Path) -> None:
    """Puts a waiting link into its ``place``, over another link if there is one."""
    if os.name == "nt":  # which does not replace links to folders
        place.unlink(missing_ok=True)
    os.replace(waiting, place)


def set_aside(place: Path, name: Path | None = None) -> Path:
    """Renames a folder or file to an unused name derived from its own or from ``name``; returns it."""
    called = name or place
    names = (f"{called.name}-before{'' if i == 1 else f'-{i}'}" for i in count(1))
    free = next(path for path in map(called.with_name, names) if not os.path.lexists(path))
    os.rename(place, free)
    return free


def mend_names(output_dir: Path) -> None:
    """Repairs after a crash: waiting links get their names, dangling ones are removed."""
    for waiting in (path for path in output_dir.glob(".*.link") if entry_name(path)):
        place = output_dir / waiting.name.removeprefix(".").removesuffix(".link")
        if waiting.exists() and not os.path.lexists(place):
            take_name(waiting, place)
        else:
            waiting.unlink()
    for name, _ in list(names_in(output_dir)):
        if not (output_dir / name).exists():
            (output_dir / name).unlink()
