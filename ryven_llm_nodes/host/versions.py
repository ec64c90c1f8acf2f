"""Which versions of Ryven's three packages the workarounds here were written for."""

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
    """Registers a function that fixes a bug of ``target`` (package, version prefix), in that version only."""

    def register(fix: Callable[[], None]) -> Callable[[], None]:
        _registered.append((target, fix))
        return fix

    return register


def apply_workarounds() -> None:
    """Applies every registered workaround for the installed versions, each once."""
    for target, fix in _registered:
        if fix not in _applied and is_version(*target):
            fix()
            _applied.add(fix)
