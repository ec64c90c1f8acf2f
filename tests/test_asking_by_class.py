"""A node says what it is: nothing outside the catalogue asks which class, title or kind of value it has before it.

The import contracts of ``pyproject.toml`` keep the modules of nodes out of the other parts; what can be asked without
importing one is found here, in the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ryven_llm_nodes.catalogue import ALL_NODES, FOLDERS

PACKAGE: Final = Path(__file__).parents[1] / "ryven_llm_nodes"
DRAWING: Final = ("catalogue/", "runtime/", "demo/", "importing/", "recipes.py", "templates.py")
"""What defines nodes, what knows nothing of them, and what draws flows with certain ones."""

CATALOGUE: Final = "ryven_llm_nodes.catalogue"
MODULES: Final = tuple(f"{CATALOGUE}.{folder}" for folder in (*FOLDERS, "training"))
CLASSES: Final = frozenset(node.__name__ for node in ALL_NODES)
NAMES: Final = CLASSES | {node.title for node in ALL_NODES}
VALUES: Final = frozenset({"ModelValue", "DatasetValue", "RewardValue", "AdapterValue"})
ASKED: Final = CLASSES | VALUES | {"Trainer", "SamplingTrainer"}
NAMING: Final = frozenset({"title", "stem", "__name__"})
NO_NODES: Final = frozenset({"path", "file", "self"})
"""What else has a stem or a name."""

Place = tuple[int, str]
"""A line, and what is asked there."""


def asking_in(source: str) -> Iterator[Place]:
    """Every place in ``source`` that asks for a class, a title or a kind of value."""
    tree = ast.parse(source)
    said = {id(constant) for constant in _docstrings(tree)}
    for node in ast.walk(tree):
        for what in (*_imported(node), *_classes(node), *_compared(node), *_looked_up(node)):
            yield node.lineno, what
        if isinstance(node, ast.Constant) and node.value in NAMES and id(node) not in said:
            yield node.lineno, f"names the node {node.value!r}"


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _imported(node: ast.AST) -> Iterator[str]:
    """Modules of nodes, and node classes by name."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(CATALOGUE):
        if str(node.module).startswith(MODULES):
            yield f"imports {node.module}"
        else:
            yield from (f"imports {alias.name}" for alias in node.names if alias.name in ASKED)
    elif isinstance(node, ast.Import):
        yield from (f"imports {alias.name}" for alias in node.names if alias.name.startswith(MODULES))


def _classes(node: ast.AST) -> Iterator[str]:
    """``isinstance`` and ``issubclass`` of a class of nodes or values."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
        for part in ast.walk(node.args[1]):
            name = getattr(part, "id", getattr(part, "attr", ""))
            if name in ASKED:
                yield f"{node.func.id} of {name}"


def _compared(node: ast.AST) -> Iterator[str]:
    """Comparisons with a title, a stem or the name of a class, and of a step's node with a class."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for side in [*sides, *(item for listed in sides for item in getattr(listed, "elts", ()))]:
            if _is_naming(side) or getattr(side, "id", getattr(side, "attr", "")) in ASKED:
                yield f"compares {ast.unparse(side)}"


def _is_naming(node: ast.AST | None) -> bool:
    """Whether it is the title, the stem or the name of something that may be a node."""
    is_other = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in NO_NODES
    return isinstance(node, ast.Attribute) and node.attr in NAMING and not is_other


def _looked_up(node: ast.AST) -> Iterator[str]:
    """Tables by title: ``TABLE[node.title]`` and ``TABLE.get(node.title)``."""
    key = node.slice if isinstance(node, ast.Subscript) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        key = node.args[0]
    if key is not None and _is_naming(key):
        yield f"looks up {ast.unparse(key)}"


def asking_below(package: Path) -> list[str]:
    """Every such place in the files of ``package``, but those that define or draw nodes."""
    files = {file.relative_to(package).as_posix(): file for file in sorted(package.rglob("*.py"))}
    return [
        f"{name}:{line}: {what}"
        for name, file in files.items()
        if not name.startswith(DRAWING)
        for line, what in asking_in(file.read_text(encoding="utf-8"))
    ]


def test_nothing_asks() -> None:
    assert asking_below(PACKAGE) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("from ryven_llm_nodes.catalogue import LLMNode, SFT", "imports SFT"),
        ("import ryven_llm_nodes.catalogue.methods.sft", "imports ryven_llm_nodes.catalogue.methods.sft"),
        (
            "from ryven_llm_nodes.catalogue.training.stage import Part",
            "imports ryven_llm_nodes.catalogue.training.stage",
        ),
        ("issubclass(step.node, (LLMNode, Trainer))", "issubclass of Trainer"),
        ("isinstance(value, values.RewardValue)", "isinstance of RewardValue"),
        ("step.node is catalogue.DPO", "compares catalogue.DPO"),
        ("step.node in (SaveModel, other)", "compares SaveModel"),
        ("node.stem in known", "compares node.stem"),
        ("node.title == chosen", "compares node.title"),
        ("known[node.__name__]", "looks up node.__name__"),
        ("CURVES.get(node.title, ())", "looks up node.title"),
        ("label.split()[0] in ('SFT', title)", "names the node 'SFT'"),
    ],
)
def test_it_is_found(source: str, what: str) -> None:
    assert what in [found for _, found in asking_in(source)]


def test_what_may_be_asked() -> None:
    source = '''"""SFT"""
from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
own = isinstance(node, LLMNode) and node.is_stage and node.leaves == "model"
text = f"{node.title} {node.__name__}"
'''
    assert list(asking_in(source)) == []
