"""Reads the values that a field accepts, and what a trainer is made with, from the library's source.

The annotation of a field often says only ``str``. The libraries state the values as an enumeration, as a table, or only
by what they compare the field with. Files of thousands of lines take long to parse, so only the relevant piece is cut
out, by its indentation, and parsed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

QUOTED = r"\"[^\"\n]*\"|'[^'\n]*'"
COMPARED = re.compile(rf"{QUOTED}|[\[({{](?:\s*(?:{QUOTED}),?)+\s*[\])}}]")


@lru_cache
def source(path: str) -> str:
    """The text of ``package/module.py`` as it is installed. Raises OSError where it is not."""
    package, _, rest = path.partition("/")
    spec = find_spec(package)  # of a top-level package: finds it, imports nothing
    if spec is None or not spec.submodule_search_locations:
        raise OSError(f"the package {package!r} is not installed")
    return Path(spec.submodule_search_locations[0], rest).read_text(encoding="utf-8")


@lru_cache
def enumerated(path: str, name: str) -> tuple[str, ...]:
    """The values of the enumeration ``name``; none where ``path`` has no such enumeration."""
    piece = _piece(path, rf"^class {name}\(.*(?:Enum|str)\):$")
    body = ast.parse(piece).body[0].body if piece else []  # type: ignore[attr-defined]
    values = (node.value for node in body if isinstance(node, ast.Assign))
    return tuple(value.value for value in values if isinstance(value, ast.Constant))


@lru_cache
def keys(path: str, name: str) -> tuple[str, ...]:
    """The keys of the dictionary ``name``."""
    piece = _piece(path, rf"^{name} = \{{$")
    return _texts(re.findall(rf"^ +({QUOTED}):", piece, re.MULTILINE))


@lru_cache
def compared(path: str, name: str) -> tuple[str, ...]:
    """Every string that a variable or attribute ``name`` is compared with, in the order of the source."""
    text = source(path)
    places = (found.end() for found in re.finditer(rf"\b{name} (?:==|!=|in|not in) ", text))
    pieces = (COMPARED.match(text, place) for place in places)
    return tuple(dict.fromkeys(one for piece in pieces if piece for one in _texts(re.findall(QUOTED, piece[0]))))


@lru_cache
def arguments(path: str, name: str) -> tuple[str, ...]:
    """What the class ``name`` is made with; nothing where ``path`` has no such class."""
    found = re.search(rf"^class {name}\(.*?^    def __init__(\(.*?^    \))", source(path), re.MULTILINE | re.DOTALL)
    made = ast.parse(f"def made{found[1]}: ...").body[0].args.args if found else []  # type: ignore[attr-defined]
    return tuple(argument.arg for argument in made)


def _texts(quoted: list[str]) -> tuple[str, ...]:
    return tuple(ast.literal_eval(text) for text in quoted)


def _piece(path: str, opening: str) -> str:
    """The statement at module level whose first line matches ``opening``, or nothing."""
    found = re.search(opening, source(path), re.MULTILINE)
    return "\n".join(_statement(source(path)[found.start() :].split("\n"))) if found else ""


def _statement(lines: list[str]) -> Iterator[str]:
    yield lines[0]
    for line in lines[1:]:
        if line and not line.startswith((" ", "}", ")", "]")):
            return
        yield line
