"""Recovery after a crash of the editor: its project is saved in a private file of the user."""

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
"""The key that holds the recovery data: a recovery file is a project, and read as one."""
SILENT_SECONDS: Final = 120
"""An editor on another machine with the same folder counts as crashed if its file was not touched for this long."""


class RecoveryFile:
    """The recovery file of one window. It is written in a thread, since a disk may be slow."""

    def __init__(self, failed: Callable[[str], None] = lambda why: None) -> None:
        self.path = folder() / f"{host()}-{os.getpid()}-{secrets.token_hex(4)}.json"
        self._failed = failed
        self._next: Mapping[str, Any] | None = None
        self._lock = threading.Lock()

    def hold(self, content: Mapping[str, Any], path: Path | None, root: Path, origin: Path | None) -> None:
        """Sets ``content``, the project of the file ``path``; its relative paths are looked up in ``root``."""
        since = {
            "path": _text(path),
            "origin": _text(origin),
            "time": time.time(),
            "host": host(),
            "pid": os.getpid(),
            "born": birth(os.getpid()),
        }
        # opened by hand, it is a copy that finds its files
        self._next = {**content, ROOT: str(root.absolute()), COPY: True, SINCE: since}

    def write_soon(self) -> None:
        """Writes the last content, in a thread."""
        threading.Thread(target=self.write, name="ryven-llm-recovery", daemon=True).start()

    def write(self) -> bool:
        """Writes the last content, if it is not written yet; returns whether it is on disk."""
        with self._lock:
            project, self._next = self._next, None
            if project is None:
                return self.path.exists()
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(self.path, json.dumps(project), private=True)
            except (LLMNodesError, OSError) as error:
                self._failed(f"✗ the recovery file cannot be written: {error}")
                return False
        return True

    def touch(self) -> None:
        """Touches the file to show that the editor is alive."""
        with suppress(OSError):  # not written yet
            os.utime(self.path)

    def remove(self) -> None:
        """There is nothing to recover."""
        self._next = None
        with self._lock, suppress(OSError):
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LeftBehind:
    """The project of a crashed editor."""

    file: Path
    content: Mapping[str, Any]
    path: Path | None
    origin: Path | None
    root: Path
    time: datetime

    def opened(self) -> Opened:
        """The project as the editor opens it. Raises FlowError where it needs packages that are not installed."""
        return Opened(with_packages(self.content, str(self.file)), self.path, self.root, self.origin)

    def summary(self) -> str:
        """What can be recovered, in a few words."""
        name, when = self._name_and_time()
        return f"{name}, changes of {when}"

    def question(self) -> str:
        """The message for the user."""
        name, when = self._name_and_time()
        return f"The editor exited without saving {name}: changes of {when} can be recovered."

    def _name_and_time(self) -> tuple[str, str]:
        name = self.path.name if self.path else f"a copy of {self.origin.name}" if self.origin else "a new project"
        today = self.time.date() == datetime.now().date()
        return name, f"{self.time:%H:%M}" if today else f"{self.time:%Y-%m-%d %H:%M}"

    def warning(self) -> str:
        """A reason not to recover, or nothing."""
        with suppress(OSError):
            if self.path and (saved := self.path.stat().st_mtime) > self.time.timestamp():
                return f"{self.path.name} was saved after that, at {datetime.fromtimestamp(saved):%Y-%m-%d %H:%M}."
        return ""


def folder() -> Path:
    """The folder of recovery files."""
    return state_dir() / FOLDER


def left_behind(flow: Path | None = None) -> list[LeftBehind]:
    """The projects of crashed editors, newest first; all of them, or those of ``flow``.

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
    """Raises ValueError for an invalid path."""
    if text is None:
        return None
    os.path.realpath(text)  # finds a null byte
    return Path(text)


def _is_gone(file: Path, since: Mapping[str, Any]) -> bool:
    if since["host"] == host():
        return birth(int(since["pid"])) != since["born"]
    return time.time() - file.stat().st_mtime > SILENT_SECONDS


def _set_aside(file: Path, error: Exception) -> None:
    """A broken file must not prevent the editor from starting, nor be reported at every start."""
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
