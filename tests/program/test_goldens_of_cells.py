"""What the script holds of one node: its definition and its statement, a small file a case of :mod:`cells`.

``UPDATE_GOLDENS=1 pytest tests/program/ -k goldens`` writes these and the large ones anew; the difference is then read
before it is committed. A node without a text of its own (a reward model, a sum of rewards, an export) has an empty
golden; what it changes is seen in the cases of the node that it is wired to.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import cells
import flows
import pytest

from ryven_llm_nodes.catalogue import ALL_NODES

GOLDENS = Path(__file__).parents[1] / "goldens" / "cells"
CASES = cells.all_cases()
IS_UPDATE = bool(os.environ.get("UPDATE_GOLDENS"))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the flows, with the files that they name."""
    folder = tmp_path_factory.mktemp("beside")
    cells.write_beside(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_the_cell_is_the_one_on_file(name: str, beside: Path) -> None:
    made, file = flows.program(CASES[name], beside), GOLDENS / f"{name}.py"
    text = made.script.cell_text(made.graph.steps[-1].name)
    ast.parse(text)
    if IS_UPDATE:
        file.write_bytes(f"{text}\n".encode())
    assert f"{text}\n" == file.read_bytes().decode()


def test_no_file_is_left_over() -> None:
    left = {file for file in GOLDENS.iterdir() if file.stem not in CASES}
    for file in left if IS_UPDATE else ():
        file.unlink()
    assert {file.name for file in GOLDENS.iterdir()} == {f"{name}.py" for name in CASES}


def test_every_node_has_a_case() -> None:
    """A node that is new has one without a line in :mod:`cells`; one that can be set differently deserves more."""
    assert {f"{kind.stem}_defaults" for kind in ALL_NODES} <= set(CASES)
    assert cells.CASES.keys().isdisjoint(name for kind in ALL_NODES for name in cells.of_class(kind))


def test_every_case_differs_from_the_others() -> None:
    """A case that changes nothing proves nothing."""
    texts: dict[str, str] = {}
    for file in sorted(file for file in GOLDENS.iterdir() if file.stat().st_size > 1):
        assert texts.setdefault(file.read_text(encoding="utf-8"), file.name) == file.name
