"""Calls upwards that keep nobody alive.

A widget that holds its parent, be it through a bound method, makes a cycle that only Python's garbage collector ends.
It may then destroy the parent, and all its children with it, while it is still taking the child apart: PySide crashes.
So what a child knows of its parents, it knows weakly, and a panel is gone the moment that nobody refers to it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakMethod


def weakly(function: Callable[..., Any], instead: Any = None) -> Callable[..., Any]:
    """``function`` as it is; of a bound method, a function that calls it, or returns ``instead`` once it is gone."""
    if not isinstance(function, MethodType):
        return function
    known = WeakMethod(function)

    def call(*arguments: Any) -> Any:
        method = known()
        return instead if method is None else method(*arguments)

    return call
