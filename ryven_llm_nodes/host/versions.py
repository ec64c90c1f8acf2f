"""Which versions of Ryven's three packages the workarounds of this part were written against."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

RYVEN: Final = ("ryven", "3.5.")
CORE: Final = ("ryvencore", "0.5.")
CORE_QT: Final = ("ryvencore-qt", "0.5.")

_registered: list[tuple[tuple[str, str], Callable[[], None]]] = []
_applied: set[Callable[[], None]] = set()


@lru_cache
def is_version(package: str, prefix: str) -> bool:
    """Whether the installed ``package`` is of a version that begins with ``prefix``."""
    try:
        return version(package).startswith(prefix)
    except PackageNotFoundError:
        return False


def workaround(target: tuple[str, str]) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Registers a function that mends one fault of ``target`` (package, version prefix), in that version only."""

    def register(mend: Callable[[], None]) -> Callable[[], None]:
        _registered.append((target, mend))
        return mend

    return register


def apply_workarounds() -> None:
    """Applies every registered workaround that the installed versions call for, each once."""
    for target, mend in _registered:
        if mend not in _applied and is_version(*target):
            mend()
            _applied.add(mend)
