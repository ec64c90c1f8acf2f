"""Calls from children to parents without keeping the parents alive.

A widget that references its parent, even through a bound method, makes a cycle that only the garbage collector frees.
It may then destroy the parent with all its children while it is still destroying the child: PySide crashes.
So children hold only weak references to parents, and a panel is freed with the last reference to it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakMethod


def weakly(function: Callable[..., Any], instead: Any = None) -> Callable[..., Any]:
    """``function`` itself; for a bound method, a function that calls it, or returns ``instead`` once it is gone."""
    if not isinstance(function, MethodType):
        return function
    known = WeakMethod(function)

    def call(*arguments: Any) -> Any:
        method = known()
        return instead if method is None else method(*arguments)

    return call
