"""Split: no row on both sides, none lost, and the same rows every time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import draw, node, problems

from ryven_llm_nodes.catalogue import InlineTable, Split

ROWS = [{"text": str(i), "label": "rare" if i % 5 == 0 else "usual"} for i in range(20)]


def drawn(**params: Any) -> Any:
    table = node(InlineTable, rows="\n".join(map(json.dumps, ROWS)))
    return draw("rows -> halves", rows=table, halves=node(Split, **params))


def parts(folder: Path, **params: Any) -> tuple[list[Any], list[Any]]:
    train, test = (list(flows.dataset(drawn(**params), folder, "halves", port)) for port in ("train", "test"))
    return train, test


def test_every_row_is_on_one_side(tmp_path: Path) -> None:
    train, test = parts(tmp_path, test_size=0.25)
    assert (len(train), len(test)) == (15, 5)
    assert sorted(int(row["text"]) for row in train + test) == list(range(20))
    assert parts(tmp_path, test_size=0.25) == (train, test)
    assert parts(tmp_path, test_size=0.25, seed=1) != (train, test)


def test_in_order(tmp_path: Path) -> None:
    assert parts(tmp_path, test_size=0.2, shuffle=False) == (ROWS[:16], ROWS[16:])


def test_both_sides_have_the_share_of_each_value(tmp_path: Path) -> None:
    for part, size in zip(parts(tmp_path, test_size=0.5, stratify="label"), (10, 10), strict=True):
        assert Counter(row["label"] for row in part) == {"rare": size / 5, "usual": size * 4 / 5}
        assert all(row in ROWS for row in part), "the column itself stays as it is"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"test_size": 1.0}, "test_size: must be less than 1, got 1.0."),
        ({"stratify": "x"}, "stratify: there is no column 'x'; there are 'text', 'label'."),
        ({"stratify": "label", "shuffle": False}, "stratify: draws rows at random; set shuffle, or clear this."),
    ],
)
def test_what_cannot_be_split(params: dict[str, Any], message: str, tmp_path: Path) -> None:
    (wrong,) = problems(drawn(**params), tmp_path)
    assert wrong.startswith(f"Split 'halves' > {message}")
