"""The runtime's source, taken apart and put into scripts."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import pytest

from ryven_llm_nodes.program import runtime_source
from ryven_llm_nodes.program.runtime_source import FOLDER, excerpts, runtime_module, runtime_names
from ryven_llm_nodes.program.script import DECIDED

MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
class TestEveryModule:
    def test_nothing_is_lost(self, name: str) -> None:
        """Put together again, the pieces are the module without its docstring and imports."""
        tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        body = [node for node in tree.body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
        pieces = "\n".join(piece.text for piece in runtime_module(name).pieces)
        assert ast.dump(ast.parse(pieces)) == ast.dump(ast.Module(body, []))

    def test_every_piece_defines_something(self, name: str) -> None:
        """A statement that defines nothing would be left out of every script."""
        assert all(piece.names for piece in runtime_module(name).pieces)

    def test_no_relative_import_is_renamed(self, name: str) -> None:
        for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert all(alias.asname is None for alias in node.names)

    @pytest.mark.parametrize("which", ["first", "last"])
    def test_an_excerpt_is_complete(self, name: str, which: str) -> None:
        """Every name that an excerpt reads is defined there, imported, or Python's own."""
        piece = runtime_module(name).pieces[0 if which == "first" else -1]
        found = excerpts((name, defined) for defined in piece.names)
        tree = ast.parse("\n".join(line for excerpt in found for line in (*excerpt.imports, excerpt.code)))
        assert undefined(tree) == set()


def undefined(tree: ast.Module) -> set[str]:
    """Global names that a module reads but nowhere defines; coarse, since any binding anywhere counts."""
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound


def test_a_node_may_hold_functions_for_its_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come with what they use, and without the node; no step can be called like any of that."""
    folder = tmp_path / "catalogue" / "outputs"
    folder.mkdir(parents=True)
    (folder / "words.py").write_text(NODE)
    monkeypatch.setattr(runtime_source, "PACKAGE", tmp_path)
    monkeypatch.setattr(runtime_source, "NODES", (folder,))
    for cached in (runtime_module, runtime_names):
        cached.cache_clear()
    (found,) = excerpts([("catalogue.outputs.words", "count")])
    assert "class Words" not in found.code
    assert found.code.startswith("LIMIT = 3\n\n\n# Says how many.\ndef count")
    assert (found.imports, found.packages) == (("import math",), {"torch"})
    assert {"count", "LIMIT", "math"} <= runtime_names()
    assert not {"Words", "Node", "_unused"} & runtime_names()
    for cached in (runtime_module, runtime_names):
        cached.cache_clear()


NODE = '''"""Words."""

import math
from ryven_llm_nodes.catalogue.node import LLMNode as Node

LIMIT = 3


class Words(Node):
    pass


# Says how many.
def count(rows):
    import torch

    return torch.tensor(math.floor(min(len(rows), LIMIT)))


def _unused():
    return Words
'''


def test_only_what_is_used_comes_along() -> None:
    (stages,) = excerpts([("stages", "release_memory")])
    assert "def release_memory" in stages.code
    assert "def copy_model" not in stages.code
    assert not any("Path" in line for line in stages.imports)


def test_comments_above_a_definition_come_along() -> None:
    (stages,) = excerpts([("stages", "DEVICE")])
    assert stages.code.startswith("# bfloat16 on GPUs that support it")


def test_a_module_brings_the_modules_it_needs() -> None:
    assert len(excerpts([("ppo", "PPOTrainer")])) > len(excerpts([("stages", "DEVICE")]))


def test_names_of_two_modules_do_not_collide() -> None:
    """In a script they stand beside each other; ``lean`` and what DECIDED takes stand in place of others."""
    defined = [
        name
        for module in MODULES
        if module != "lean"
        for piece in runtime_module(module).pieces
        for name in piece.names
        if (module, name) not in DECIDED.values()
    ]
    assert len(set(defined)) == len(defined)
    assert set(defined) < runtime_names()


def test_an_import_means_the_same_in_every_module_and_is_no_definition_of_another() -> None:
    imported: dict[str, str] = {}
    for module in MODULES:
        for name, line in runtime_module(module).imports.items():
            assert imported.setdefault(name, line) == line
            owners = [m for m in MODULES for piece in runtime_module(m).pieces if name in piece.names]
            assert owners == []


def test_files_of_nodes_without_functions_are_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    take = runtime_source.runtime_module
    monkeypatch.setattr(runtime_source, "runtime_module", lambda module: taken.append(module) or take(module))
    runtime_names.cache_clear()
    runtime_names()
    files = [runtime_source.PACKAGE / f"{module.replace('.', '/')}.py" for module in taken]
    of_nodes = [file for file in files if file.parent in runtime_source.NODES]
    assert of_nodes
    assert all("\ndef " in file.read_text(encoding="utf-8") for file in of_nodes)
