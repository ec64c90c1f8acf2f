"""Takes the modules of this package apart, so that a script can contain the source it needs instead of an import.

Those of ``runtime/`` exist only for that. A node that needs a function or two may define them in its own file.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, TypeAlias

from ryven_llm_nodes.catalogue import FOLDERS

PACKAGE: Final = Path(__file__).parents[1]
FOLDER: Final = PACKAGE / "runtime"
NODES: Final = tuple(PACKAGE / "catalogue" / folder for folder in FOLDERS)
FUNCTION: Final = re.compile(r"(?m)^def ")
Name: TypeAlias = tuple[str, str]
"""A module of this package, as :func:`own_module` calls it, and a name in it."""


@dataclass(frozen=True)
class Piece:
    """A top-level statement of a module, with the comment above it: what it defines, and which names it uses."""

    text: str
    names: frozenset[str]
    statement: ast.stmt

    @cached_property
    def uses(self) -> frozenset[str]:
        return frozenset(node.id for node in ast.walk(self.statement) if isinstance(node, ast.Name))


@dataclass(frozen=True)
class RuntimeModule:
    """A module in pieces.

    ``imports`` holds the import statement behind each imported name; ``needs`` the module of this package that a name
    is taken from.
    """

    name: str
    title: str
    pieces: tuple[Piece, ...]
    imports: Mapping[str, str]
    needs: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        """Every name that the module defines or imports."""
        return frozenset(self.imports) | frozenset(name for piece in self.pieces for name in piece.names)


@lru_cache
def runtime_module(name: str) -> RuntimeModule:
    """The module ``name`` as :func:`own_module` calls it, taken apart."""
    place = PACKAGE.joinpath(*name.split(".")) if "." in name else FOLDER / name
    source = place.with_suffix(".py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    imports: dict[str, str] = {}
    needs: dict[str, str] = {}
    for node in tree.body:
        own = own_module(node) if isinstance(node, ast.ImportFrom) else None
        if isinstance(node, ast.ImportFrom) and own:
            needs |= {alias.name: own for alias in node.names}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports |= dict(_imported(node))
    title = (ast.get_docstring(tree) or name).split("\n")[0].rstrip(".")
    return RuntimeModule(name, title, tuple(_pieces(tree, source.split("\n"))), imports, needs)


def own_module(node: ast.ImportFrom) -> str | None:
    """The module of this package that ``node`` takes names from: one of ``runtime/`` by its name, others in full.

    ``catalogue.outputs.save_model`` is one of the others. None where it is a module of another package.
    """
    if node.level:  # as modules of the runtime import each other
        return node.module
    package, _, name = (node.module or "").partition(".")
    return name.removeprefix(f"{FOLDER.name}.") if package == PACKAGE.name and name else None


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        start = "import" if isinstance(node, ast.Import) else f"from {node.module} import"
        end = f" as {alias.asname}" if alias.asname else ""
        yield alias.asname or alias.name.split(".")[0], f"{start} {alias.name}{end}"


def _pieces(tree: ast.Module, lines: list[str]) -> Iterator[Piece]:
    end = 0
    for node in tree.body:
        start, end = end, node.end_lineno or end
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not isinstance(node, ast.Import | ast.ImportFrom):
            yield Piece("\n".join(lines[start:end]).strip("\n"), frozenset(_defined(node)), node)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


@lru_cache
def runtime_names() -> frozenset[str]:
    """Every name that any runtime module defines or imports, and what support code in the files of nodes does."""
    modules = (runtime_module(path.stem) for path in FOLDER.glob("*.py") if path.stem != "__init__")
    functions = (wanted for folder in NODES for path in folder.glob("*.py") for wanted in _public_functions(path))
    support = _needed(functions, {})
    return frozenset(name for names in (*(module.names for module in modules), *support.values()) for name in names)


def _public_functions(path: Path) -> Iterator[tuple[str, str]]:
    """The functions in the file of a node that its cells may import."""
    if not FUNCTION.search(path.read_text(encoding="utf-8")):
        return  # most have none, and are not taken apart
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    pieces = (piece for piece in runtime_module(module).pieces if FUNCTION.search(piece.text))
    yield from ((module, name) for piece in pieces for name in piece.names if not name.startswith("_"))


@dataclass(frozen=True)
class Excerpt:
    """The part of a module that a script needs: its code and the imports of that code."""

    title: str
    code: str
    imports: tuple[str, ...]

    @property
    def packages(self) -> set[str]:
        """The top-level packages that its functions import when they are called."""
        nodes = list(ast.walk(ast.parse(self.code)))
        modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
        return {module.split(".")[0] for module in modules}


def excerpts(wanted: Iterable[Name], replaced: Mapping[Name, Name] | None = None) -> list[Excerpt]:
    """The parts of modules that hold the ``wanted`` names and all that those use.

    Of a name in ``replaced``, another module has the one that is taken.
    """
    names = _needed(wanted, replaced or {})
    return [_excerpt(runtime_module(module), names[module]) for module in _in_order(names)]


def _needed(wanted: Iterable[Name], replaced: Mapping[Name, Name]) -> dict[str, set[str]]:
    """The ``wanted`` names and all that they use, by their module."""
    names: dict[str, set[str]] = {}
    todo = list(wanted)
    while todo:
        module, name = todo.pop()
        module, name = replaced.get((module, name), (module, name))
        if name not in names.setdefault(module, set()):
            names[module].add(name)
            todo += _used(runtime_module(module), name)
    return names


def _in_order(names: Iterable[str]) -> list[str]:
    """Modules by name, but each after those that it needs: a class or an annotation may use a name at once."""
    known, order = set(names), list[str]()

    def add(name: str) -> None:
        for needed in sorted(set(runtime_module(name).needs.values()) & known - {name}):
            if needed not in order:
                add(needed)
        order.append(name)

    for name in sorted(known):
        if name not in order:
            add(name)
    return order


def _used(module: RuntimeModule, name: str) -> Iterator[tuple[str, str]]:
    for piece in module.pieces:
        if name in piece.names:
            for other in piece.uses:
                if other in module.needs:
                    yield module.needs[other], other
                elif other in module.names:
                    yield module.name, other


def _excerpt(module: RuntimeModule, names: set[str]) -> Excerpt:
    pieces = [piece for piece in module.pieces if piece.names & names]
    code = pieces[0].text
    for before, piece in itertools.pairwise(pieces):
        short = "\n" not in before.text and "\n" not in piece.text
        code += ("\n" if short else "\n\n\n") + piece.text
    imports = tuple(module.imports[name] for name in sorted(names & set(module.imports)))
    return Excerpt(module.title, code, imports)
