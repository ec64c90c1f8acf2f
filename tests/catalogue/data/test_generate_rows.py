"""Generate Rows: rows that Python makes, in the run and in the script."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import GenerateRows

HELPED = """import random

LEAST = 3


def _one(rng):
    return {"prompt": f"say {rng.randint(LEAST, 9)}"}


def rows():
    rng = random.Random(1)
    return [_one(rng) for _ in range(4)]
"""


def drawn(**params: str) -> flows.Project:
    return flows.draw(own=node(GenerateRows, **params))


def test_the_function_is_called_for_its_rows(data: Path) -> None:
    made = flows.dataset(drawn(code=HELPED), data, "own")
    assert len(made) == 4
    assert made.column_names == ["prompt"]
    assert made[0]["prompt"] == flows.dataset(drawn(code=HELPED), data, "own")[0]["prompt"]
    assert len(flows.dataset(drawn(), data, "own")) == 200


def test_one_of_several_functions(data: Path) -> None:
    code = f'{HELPED}\n\ndef other():\n    yield {{"text": "x"}}\n'
    assert flows.dataset(drawn(code=code), data, "own").column_names == ["text"]
    assert flows.dataset(drawn(code=code, function="rows"), data, "own").column_names == ["prompt"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1", "code: defines no function"),
        ("def rows(count): return []", "must be a plain function without arguments"),
        ("async def rows(): return []", "must be a plain function without arguments"),
        ("def rows(", "syntax error in line 1"),
    ],
)
def test_what_cannot_make_rows(code: str, said: str, data: Path) -> None:
    assert any(said in problem for problem in flows.problems(drawn(code=code), data))
