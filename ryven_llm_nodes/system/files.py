"""Writes files atomically."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ryven_llm_nodes.errors import UsageError, one_line
from ryven_llm_nodes.system.processes import birth, host


def write_whole(path: Path, text: str, keep: bool = False, private: bool = False) -> None:
    """Writes ``text`` to ``path`` through a temporary file next to it and a rename; through a link, to its target.

    ``keep``: the previous version stays as ``<name>.bak``, itself complete at any moment; a file that already contains
    ``text`` is not changed. ``private``: only the user may read the file; otherwise its permissions stay, or are those
    of any new file. Raises UsageError if it cannot be done; the file at ``path`` is then unchanged.
    """
    try:
        real = Path(os.path.realpath(path))
        data = text.encode("utf-8")
        if keep and real.is_file() and real.read_bytes() == data:
            return  # saving twice must not lose the previous version
        real.parent.mkdir(parents=True, exist_ok=True)
        if keep:
            sweep(real.parent)  # first, so that leftovers of killed writers do not accumulate
        _write(real, data, keep, private)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        reason = getattr(error, "strerror", None) or error
        raise UsageError(one_line(f"cannot write {path}: {reason}; choose another place.")) from error


def _write(path: Path, data: bytes, keep: bool, private: bool) -> None:
    with _temporary(path.parent) as temporary:
        _fill(temporary, data)
        if not private:
            os.chmod(temporary, _mode(path))
        if keep and path.exists():
            _keep(path)
        os.replace(temporary, path)
    _sync_folder(path.parent)


def _mode(path: Path) -> int:
    """The permissions of the file at ``path``, or those that a new file gets; a temporary one is private."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    os.umask(mask := os.umask(0o077))
    return 0o666 & ~mask


def _keep(path: Path) -> None:
    """Gives the file at ``path`` a second name, atomically replacing a file that had this name."""
    with _temporary(path.parent) as old:
        try:
            old.unlink()
            os.link(path, old)
        except OSError:  # not every file system has links, and not every file may be linked
            _fill(old, path.read_bytes())
            shutil.copystat(path, old)
        os.replace(old, path.with_name(f"{path.name}.bak"))


def _fill(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power loss. Windows, and some network drives, do not support this."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# Temporary files


def _owner() -> str:
    return f".ryven-llm.{host()}"


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A temporary file in ``folder``, removed on exit; its name tells the process, to recognise leftovers."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=f"{_owner()}-{os.getpid()}.")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Removes the temporary files in ``folder`` of killed processes of this machine."""
    left = re.compile(re.escape(_owner()) + r"-(\d{1,9})\.\w+")
    with suppress(OSError):  # a folder that may not be listed
        for name in os.listdir(folder):
            if (found := left.fullmatch(name)) and birth(int(found[1])) is None:
                with suppress(OSError):  # another user's
                    (folder / name).unlink()
