"""Scans a Ryven project before anything is unpickled.

Ryven stores node states, output values and widget states as base64 pickles, and loading a pickle runs the code it
names. Plain data needs none of the opcodes that name things, so a project that holds one is refused.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
from collections.abc import Iterator
from typing import Any, Final

from ryven_llm_nodes.errors import FlowError, Problem

PICKLED: Final = frozenset({"state data", "serialized", "widget data", "main widget data", "val", "value"})
"""The keys of a project under which ryvencore 0.5.0 and ryvencore-qt 0.5.0 keep pickles."""

NAMING: Final = frozenset(
    "GLOBAL STACK_GLOBAL INST OBJ NEWOBJ NEWOBJ_EX REDUCE BUILD EXT1 EXT2 EXT4 PERSID BINPERSID".split()  # noqa: SIM905
)
"""Opcodes that look up or call something."""


def refuse_unsafe(project: Any, name: str) -> None:
    """Raises FlowError, naming the fields, if a pickle in ``project`` holds more than plain data."""
    problems = [
        Problem(f"{path} holds a pickle that would {what}; the project is not opened.", name)
        for path, what in _findings(project, "")
    ]
    if problems:
        raise FlowError(problems)


def _findings(data: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every pickled field that is not plain data, with its place. Iterative: a hostile file may nest deeply."""
    todo = [(data, path)]
    while todo:
        value, where = todo.pop()
        if isinstance(value, list):
            todo += [(item, f"{where}[{i}]") for i, item in enumerate(value)]
        elif isinstance(value, dict):
            for key, item in value.items():
                place = f"{where} > {key}".removeprefix(" > ")
                if key in PICKLED and isinstance(item, str):
                    yield from ((place, what) for what in _dangers(item))
                else:
                    todo.append((item, place))


def _dangers(pickled: str) -> Iterator[str]:
    try:
        names = {opcode.name for opcode, _, _ in pickletools.genops(base64.b64decode(pickled, validate=True))}
    except (ValueError, binascii.Error, IndexError, KeyError, EOFError, UnicodeError, OverflowError):
        yield "not load (it is broken)"
        return
    if found := sorted(names & NAMING):
        yield f"run code ({', '.join(found)})"
