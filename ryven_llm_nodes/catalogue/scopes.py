"""The global names of a piece of Python, without running it: which it binds, which it imports, and which it uses."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Scope:
    """The names that a module's text and the functions in it share.

    ``assigned`` are functions, classes and variables, also those that a function declares global; ``imported`` pairs a
    name with the dotted path of what it stands for, several times where branches differ; ``used`` are the names that
    are looked up among the globals or the builtins; ``locals`` the names that each top-level function keeps for itself.
    """

    assigned: frozenset[str]
    imported: frozenset[tuple[str, str]]
    used: frozenset[str]
    locals: dict[str, frozenset[str]]

    @property
    def borrowed(self) -> frozenset[str]:
        """The names that import statements bind."""
        return frozenset(name for name, _ in self.imported)

    @property
    def bound(self) -> frozenset[str]:
        """Every global name that the text binds."""
        return self.assigned | self.borrowed

    def origins(self, name: str) -> frozenset[str]:
        """The dotted paths that ``name`` is imported from; empty where it is not imported."""
        return frozenset(path for imported, path in self.imported if imported == name)


@lru_cache(maxsize=256)
def scope_of(text: str) -> Scope:
    """The scope of a module's ``text``. Raises SyntaxError where it cannot be parsed."""
    top = symtable.symtable(text, "<code>", "exec")
    nested = [symbol for table in _below(top) for symbol in table.get_symbols() if symbol.is_global()]
    assigned = {s.get_name() for s in top.get_symbols() if s.is_assigned()}
    assigned |= {s.get_name() for s in nested if s.is_declared_global() and s.is_assigned()}
    used = {s.get_name() for s in top.get_symbols() if s.is_referenced()} | {s.get_name() for s in nested}
    own = {table.get_name(): frozenset(_locals(table)) for table in top.get_children()}
    return Scope(frozenset(assigned), frozenset(_imported(ast.parse(text))), frozenset(used), own)


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _locals(table: symtable.SymbolTable) -> Iterator[str]:
    return (symbol.get_name() for symbol in table.get_symbols() if symbol.is_local())


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The imports of the module itself: those of a function or class are its own."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or module, module
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _imported(node)
