"""Modules and files next to the flow file that Python code in the flow uses: found by name, without importing."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

LONGEST_NAME: Final = 255

Files = dict[str, Path]
"""Files by their path from the folder of the flow."""


def modules_of(code: str, root: Path) -> Mapping[str, Files]:
    """The modules in the folder ``root`` that ``code`` imports, and those that they import, each with its files."""
    found: dict[str, Files] = {}
    todo = [code]
    while todo:
        text = todo.pop()
        for name in sorted({*_imported(text, root), *_named_modules(text, root)} - set(found)):
            found[name] = dict(_files_of_module(root, name))
            todo += [_read(file) for file in found[name].values() if file.suffix == ".py"]
    return found


def hiding_libraries(code: str, root: Path) -> list[str]:
    """The modules in ``root`` that ``code`` imports although a library has the same name (ambiguous)."""
    return [name for name in sorted(_imported(code, root)) if _is_library(name, root)]


def shadowed(code: str, root: Path) -> Iterator[str]:
    """What is wrong with such an import, in a sentence for each."""
    for name in hiding_libraries(code, root):
        yield f"imports {name!r}: a library, shadowed by a file next to the flow file; rename the file."


def files_of_code(code: str, root: Path) -> Files:
    """Every file of the modules of ``code``, and every file that a string in that code names.

    Such a name is relative to ``root`` or to the working directory. Paths that the code builds at run time
    cannot be found.
    """
    files = {name: file for module in modules_of(code, root).values() for name, file in module.items()}
    texts = [code, *(_read(file) for file in files.values() if file.suffix == ".py")]
    return files | {name: file for text in texts for name, file in _named_files(text, root)}


def files_below(folder: Path) -> Iterator[Path]:
    """Every file in ``folder`` and its subfolders, sorted, links followed; no hidden files, no compiled Python."""
    visited = set[str]()
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        if (real := os.path.realpath(place)) in visited:  # a link that forms a loop
            folders.clear()
            continue
        visited.add(real)
        files = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if os.path.isfile(file))


# What code names


def _nodes(code: str) -> Iterator[ast.AST]:
    """The parts of ``code``; none where it cannot be parsed."""
    try:
        yield from ast.walk(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return


def _imported(code: str, root: Path) -> set[str]:
    """The top-level names of modules in ``root`` that ``code`` imports."""
    nodes = list(_nodes(code))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    names = {name.partition(".")[0] for name in plain | named}
    return {name for name in names if _lies_in(root, name)}


def _named_modules(code: str, root: Path) -> Iterator[str]:
    """Modules in ``root`` that are named by a string, as in ``import_module("helper")``."""
    for text in _texts(code):
        name = text.partition(".")[0]
        if name.isidentifier() and os.path.isfile(root / f"{name}.py") and not _is_library(name, root):
            yield name


def _named_files(code: str, root: Path) -> Iterator[tuple[str, Path]]:
    for text in _texts(code):
        place = next((place for place in (root / text, Path(text).absolute()) if os.path.isfile(place)), None)
        if place is not None:
            yield text, place


def _texts(code: str) -> set[str]:
    """Strings in ``code`` that may name a file or module."""
    values = {node.value for node in _nodes(code) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in values if 0 < len(text) <= LONGEST_NAME and text.isprintable()}


# What exists


def _lies_in(root: Path, name: str) -> bool:
    """Whether Python, looking into ``root`` first, finds the module ``name`` there."""
    if os.path.isfile(root / f"{name}.py") or os.path.isfile(root / name / "__init__.py"):  # False for a wrong path
        return True
    is_bare = os.path.isdir(root / name) and any((root / name).glob("*.py"))
    return is_bare and not _is_library(name, root)  # a folder without __init__.py comes last


def _is_library(name: str, root: Path) -> bool:
    """Whether ``name`` is found elsewhere than in ``root``."""
    if name in sys.stdlib_module_names:
        return True
    try:
        spec = find_spec(name)  # of a top-level name: finds it, imports nothing
    except (ImportError, ValueError):
        return False
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    return any(place and not Path(place).is_relative_to(root) for place in places)


def _files_of_module(root: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The file of a module, or everything in the folder of a package, which may read what lies there."""
    if os.path.isfile(root / f"{name}.py"):
        yield f"{name}.py", root / f"{name}.py"
    for file in files_below(root / name):
        yield file.relative_to(root).as_posix(), file


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
