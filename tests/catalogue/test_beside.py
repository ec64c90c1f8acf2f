"""Which modules and files beside a flow its code uses."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.catalogue import RewardFunction
from ryven_llm_nodes.catalogue.beside import files_of_code, modules_of
from ryven_llm_nodes.run.trust.seen import foreign_code

REWARD = "def reward(completions, **kwargs):\n    return [1.0 for _ in completions]\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Modules of every shape; nothing imports ``other``."""
    for name in ("helper", "deep", "late", "other", "pack/__init__", "pack/part", "bare/part", "datasets/data"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("")
    (tmp_path / "helper.py").write_text("import deep, os\nimport helper\n")
    (tmp_path / "pack/table.csv").write_text("1")
    (tmp_path / "words.txt").write_text("a")
    return tmp_path


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import helper", ["deep", "helper"]),
        ("def f():\n    from helper import x", ["deep", "helper"]),
        ("import pack.part as p", ["pack"]),
        ("from bare import part", ["bare"]),
        ("from importlib import import_module\nlate = import_module('late')", ["late"]),
        ("import json, torch, nothing", []),
        ("import datasets", []),  # the library, since that folder has no __init__.py
        ("import helper; def", []),
    ],
)
def test_modules(code: str, modules: list[str], place: Path) -> None:
    assert sorted(modules_of(code, place)) == modules


def test_files(place: Path) -> None:
    code = "import pack\nrows = open('words.txt').read() + 'what' + '\\0' + '/'\n"
    assert sorted(files_of_code(code, place)) == ["pack/__init__.py", "pack/part.py", "pack/table.csv", "words.txt"]


@pytest.mark.parametrize("name", ["random", "torch"])
def test_a_module_that_hides_a_library(name: str, place: Path) -> None:
    """Next to the script it would be found first, in a run it is not."""
    (place / f"{name}.py").write_text("")
    drawn = flows.draw(score=flows.node(RewardFunction, code=f"import {name}\n\n\n{REWARD}"))
    line = f"imports {name!r}: a library, shadowed by a file next to the flow file; rename the file."
    assert f"Reward Function 'score' > code: {line}" in flows.problems(drawn, place)


def test_the_script_looks_for_modules_beside_the_flow(place: Path) -> None:
    drawn = flows.draw(score=flows.node(RewardFunction, code=f"import helper\n\n\n{REWARD}"))
    assert "sys.path.insert(0, str(ROOT))" in flows.script(drawn, place)
    assert "sys.path" not in flows.script(flows.draw(score=flows.node(RewardFunction, code=REWARD)), place)


def test_what_a_module_holds_is_asked_for_too(place: Path) -> None:
    drawn = flows.draw(score=flows.node(RewardFunction, code=f"import helper\n\n\n{REWARD}"))
    (before,) = foreign_code(flows.graph(drawn, place))
    (place / "deep.py").write_text("import antigravity\n")
    (after,) = foreign_code(flows.graph(drawn, place))
    assert "# deep.py\nimport antigravity" in after.text
    assert before.digest != after.digest
