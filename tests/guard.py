"""Sees whatever is done while a flow file is read, which should be nothing; and judges what is said about it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Guard:
    """Writes down what should not happen, and prevents it. One for the process: a hook cannot be removed."""

    def __init__(self) -> None:
        self.active = False
        self.seen: list[str] = []
        self.allowed: tuple[str, ...] = ()
        self.executed: tuple[str, ...] = ()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.active:
            return
        what = self._wrong(event, args)
        if what:
            self.seen.append(what)
            raise RuntimeError(f"not while a flow is read: {what}")

    def _wrong(self, event: str, args: tuple[Any, ...]) -> str:
        if event in FORBIDDEN or event.startswith(("socket.", "subprocess.", "winreg.")):
            return f"{event} {args!r:.200}"
        if event == "exec":
            file = getattr(args[0], "co_filename", "?")
            known = os.path.isabs(file) or file.startswith("<frozen ") or file in self.executed
            return "" if known else f"exec of {file}"
        if event in WRITING:
            return "" if self._is_allowed(args[0]) else f"{event} {args!r:.200}"
        if event == "open" and isinstance(args[0], str | bytes) and _writes(args[1], args[2]):
            return "" if self._is_allowed(args[0]) else f"open for writing {args!r:.200}"
        return ""

    def _is_allowed(self, path: Any) -> bool:
        return bool(self.allowed) and os.path.realpath(os.fsdecode(path)).startswith(self.allowed)


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


FORBIDDEN = {"pickle.find_class", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile"}
FORBIDDEN |= {"code.__new__", "ctypes.dlopen", "webbrowser.open", "urllib.Request", "pty.spawn", "os.kill"}
WRITING = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate"}
_guard: list[Guard] = []


@contextmanager
def guarded(*allowed: Path, executed: tuple[str, ...] = ()) -> Iterator[Guard]:
    """Nothing is run, sent, or written in this block, but below ``allowed``; ``seen`` tells what was tried.

    What libraries compile and execute by themselves goes by the file names ``executed``.
    """
    if not _guard:
        _guard.append(Guard())
    guard = _guard[0]
    guard.executed = executed
    guard.seen, guard.allowed = [], tuple(os.path.realpath(place) for place in allowed)
    guard.active, before = True, sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield guard
    finally:
        guard.active, sys.dont_write_bytecode = False, before


# What is said

NAMED = re.compile(
    r"(error: |Ryven cannot open )?(\S*/\S|/|flow\.(json|py):|'|node \d+|[A-Z][A-Za-z]+( [A-Z][a-z]+)? ['\"])"
)
"""An error begins with the path of the file, or with the kind and the name of the node."""


def assert_plain(text: str, what: str) -> None:
    """An error is lines that can be read: short, printable, without a traceback."""
    assert text, what
    for line in text.split("\n"):
        assert line.strip(), what
        assert line.isprintable(), f"{what}: {line!r:.700}"
        assert len(line) <= 600, f"{what}: {line[:700]!r}"
        assert "Traceback" not in line, f"{what}: {line!r:.700}"
        assert NAMED.match(line), f"{what}: names neither file nor node: {line!r:.700}"
