"""Tells whether the process that left a file is still running."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

_STATE, _STARTED = 0, 19  # of the fields of /proc/<pid>/stat after the name, which may contain anything


def birth(pid: int) -> str | None:
    """What distinguishes the process ``pid`` from a later one with that number; None if there is no such process."""
    if not sys.platform.startswith("linux"):
        return _birth_by_psutil(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    ended = fields[_STATE] in "ZX"  # killed, but not yet reaped by its parent
    return None if ended else f"{boot} {fields[_STARTED]}"  # ticks since boot: unaffected by clock changes


def _birth_by_psutil(pid: int) -> str | None:
    import psutil  # comes with accelerate

    try:
        return str(psutil.Process(pid).create_time())
    except (psutil.NoSuchProcess, OverflowError):
        return None


def host() -> str:
    """The name of this machine, usable in a file name."""
    return re.sub(r"[^\w.-]", "_", platform.node(), flags=re.ASCII)[:40] or "here"
