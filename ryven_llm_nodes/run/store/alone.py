"""One run at a time in one output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ryven_llm_nodes.errors import UsageError

LOCK: Final = ".lock"


@contextmanager
def alone_in(output_dir: Path) -> Iterator[None]:
    """Inside, no other run writes to ``output_dir``, which is created. The lock ends with the process.

    Raises UsageError where another run has it, or the folder cannot be written to.
    """
    from filelock import FileLock, Timeout  # the window opens sooner

    lock = FileLock(output_dir / LOCK)
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        remedy = "wait for it to end, stop it, or choose another --output-dir"
        raise UsageError(f"another run is writing to {output_dir}; {remedy}.") from None
    except OSError as error:
        raise UsageError(f"cannot write to {output_dir}: {error.strerror}; choose another --output-dir.") from error
    try:
        yield
    finally:
        lock.release()


def is_taken(output_dir: Path) -> bool:
    """Whether a run is writing to ``output_dir`` now."""
    if not (output_dir / LOCK).is_file():
        return False
    from filelock import FileLock, Timeout

    lock = FileLock(output_dir / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
