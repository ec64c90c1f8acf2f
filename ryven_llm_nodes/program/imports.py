"""Merges the import lines of cells and runtime modules into the one block at the top of a script."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from ryven_llm_nodes.catalogue.cell import WIDTH, layout
from ryven_llm_nodes.program.runtime_source import own_module


class Imports:
    """Import statements, merged and sorted; those from this package are kept separately as (module, name) pairs."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._modules: set[str] = set()
        self._names: dict[str, set[str]] = {}
        self.runtime: set[tuple[str, str]] = set()
        self.add(lines)

    def add(self, lines: Iterable[str]) -> None:
        """Adds more import statements."""
        for line in dict.fromkeys(lines):
            (node,) = ast.parse(line).body
            if isinstance(node, ast.Import):
                self._modules |= {ast.unparse(alias) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                if own := own_module(node):
                    self.runtime |= {(own, alias.name) for alias in node.names}
                else:
                    names = (ast.unparse(alias) for alias in node.names)
                    self._names.setdefault(node.module, set()).update(names)

    def without(self, others: Imports) -> Imports:
        """The imports that are not among ``others``."""
        rest = Imports()
        rest._modules = self._modules - others._modules
        names = {module: names - others._names.get(module, set()) for module, names in self._names.items()}
        rest._names = {module: left for module, left in names.items() if left}
        return rest

    @property
    def text(self) -> str:
        """All import statements, those of the standard library first."""
        return "\n\n".join(block for block in (self.standard, self.others) if block)

    @property
    def packages(self) -> set[str]:
        """The top-level packages that are imported."""
        return {name.split(".")[0].split(" ")[0] for name in (*self._modules, *self._names)}

    @property
    def standard(self) -> str:
        """The imports of the standard library."""
        return self._block(standard=True)

    @property
    def others(self) -> str:
        """All other imports."""
        return self._block(standard=False)

    def _block(self, standard: bool) -> str:
        plain = [f"import {name}" for name in sorted(self._modules) if _is_standard(name) is standard]
        named = [
            _from_line(module, sorted(names, key=_by_type))
            for module, names in sorted(self._names.items())
            if _is_standard(module) is standard
        ]
        return "\n".join((*plain, *named))


def _from_line(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    return line if len(line) <= WIDTH else layout(f"from {module} import (", names, ")", width=0)


def _by_type(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as formatters sort them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _is_standard(module: str) -> bool:
    return module.split(".")[0].split(" ")[0] in sys.stdlib_module_names
