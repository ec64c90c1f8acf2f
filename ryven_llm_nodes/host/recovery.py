"""What an editor that ends without a word leaves behind: its project, in a file of the user's own."""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError, one_line
from ryven_llm_nodes.host.opening import Opened, with_packages
from ryven_llm_nodes.program.carried import COPY, ROOT
from ryven_llm_nodes.program.flow import read_project, root_of
from ryven_llm_nodes.system.files import sweep, write_whole
from ryven_llm_nodes.system.processes import birth, host
from ryven_llm_nodes.system.userdirs import state_dir

FOLDER: Final = "recovery"
SINCE: Final = "recovery"
"""The key of a project under which the rest stands: a recovery file is a project, and read as one."""
SILENT_SECONDS: Final = 120
"""An editor on another machine that shares the folder is gone when its file has not been touched for this long."""


class RecoveryFile:
    """The recovery file of one window. Writing happens in a thread: a disk may take its time."""

    def __init__(self, failed: Callable[[str], None] = lambda why: None) -> None:
        self.path = folder() / f"{host()}-{os.getpid()}-{secrets.token_hex(4)}.json"
        self._failed = failed
        self._next: Mapping[str, Any] | None = None
        self._lock = threading.Lock()

    def hold(self, content: Mapping[str, Any], path: Path | None, root: Path, origin: Path | None) -> None:
        """Takes ``content``, which is saved to ``path`` and has its relative paths looked up in ``root``."""
        since = {
            "path": _text(path),
            "origin": _text(origin),
            "time": time.time(),
            "host": host(),
            "pid": os.getpid(),
            "born": birth(os.getpid()),
        }
        # by hand, too, it opens as a copy that finds its files
        self._next = {**content, ROOT: str(root.absolute()), COPY: True, SINCE: since}

    def write_soon(self) -> None:
        """Writes what was taken last, in a thread."""
        threading.Thread(target=self.write, name="ryven-llm-recovery", daemon=True).start()

    def write(self) -> bool:
        """Writes what was taken last, if it is not written yet; whether all of it is on disk."""
        with self._lock:
            project, self._next = self._next, None
            if project is None:
                return self.path.exists()
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(self.path, json.dumps(project), private=True)
            except (LLMNodesError, OSError) as error:
                self._failed(f"✗ the changes cannot be kept for a crash: {error}")
                return False
        return True

    def touch(self) -> None:
        """Says that the editor is alive and has nothing new."""
        with suppress(OSError):  # not there yet
            os.utime(self.path)

    def remove(self) -> None:
        """There is nothing to recover."""
        self._next = None
        with self._lock, suppress(OSError):
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LeftBehind:
    """The project of an editor that is gone."""

    file: Path
    content: Mapping[str, Any]
    path: Path | None
    origin: Path | None
    root: Path
    time: datetime

    def opened(self) -> Opened:
        """The project as the editor opens it. Raises FlowError where it needs packages that are not there."""
        return Opened(with_packages(self.content, str(self.file)), self.path, self.root, self.origin)

    def question(self) -> str:
        """What the user is told."""
        name = self.path.name if self.path else f"a copy of {self.origin.name}" if self.origin else "a new project"
        today = self.time.date() == datetime.now().date()
        when = f"{self.time:%H:%M}" if today else f"{self.time:%Y-%m-%d %H:%M}"
        return f"The editor ended without saving {name}: changes of {when} can be recovered."

    def warning(self) -> str:
        """What speaks against recovering, or nothing."""
        with suppress(OSError):
            if self.path and (saved := self.path.stat().st_mtime) > self.time.timestamp():
                return f"{self.path.name} was saved after that, at {datetime.fromtimestamp(saved):%Y-%m-%d %H:%M}."
        return ""


def folder() -> Path:
    """Where recovery files lie."""
    return state_dir() / FOLDER


def left_behind(flow: Path | None = None) -> list[LeftBehind]:
    """What editors left that ended without a word, newest first; all of it, or what belongs to ``flow``.

    A file that cannot be read is set aside, with a line on stderr.
    """
    sweep(folder())
    found = sorted(_readable(), key=lambda left: left.time, reverse=True)
    return [left for left in found if flow is None or _same(flow, left.path) or _same(flow, left.origin)]


def _readable() -> Iterator[LeftBehind]:
    for file in sorted(folder().glob("*.json")):
        try:
            project = read_project(file)
            if _is_gone(file, project[SINCE]):
                yield _read(file, project)
        except (LLMNodesError, LookupError, TypeError, ValueError, ArithmeticError, OSError) as error:
            _set_aside(file, error)


def _read(file: Path, project: Mapping[str, Any]) -> LeftBehind:
    since = project[SINCE]
    path, origin = (_path(since[key]) for key in ("path", "origin"))
    when = datetime.fromtimestamp(since["time"])
    return LeftBehind(file, project, path, origin, root_of(project, file), when)


def _path(text: str | None) -> Path | None:
    """Raises ValueError for what can be no path."""
    if text is None:
        return None
    os.path.realpath(text)  # finds a null byte
    return Path(text)


def _is_gone(file: Path, since: Mapping[str, Any]) -> bool:
    if since["host"] == host():
        return birth(int(since["pid"])) != since["born"]
    return time.time() - file.stat().st_mtime > SILENT_SECONDS


def _set_aside(file: Path, error: Exception) -> None:
    """One broken file must not keep the editor from starting, nor be met again at every start."""
    if not file.exists():
        return  # another editor took it
    broken = file.with_name(f"{file.name}.broken")
    try:
        os.replace(file, broken)
    except OSError:
        broken = file
    print(one_line(f"cannot recover {file}: {error!r}; it is left as {broken}."), file=sys.stderr)


def _same(one: Path, other: Path | None) -> bool:
    return other is not None and os.path.realpath(one) == os.path.realpath(other)


def _text(path: Path | None) -> str | None:
    return os.path.abspath(path) if path else None
