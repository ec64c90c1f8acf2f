"""Mix, Deduplicate and Inline Table: which rows there are, in which order."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import draw, node, problems

from ryven_llm_nodes.catalogue import Deduplicate, InlineTable, Mix


def table(*rows: dict[str, Any]) -> Any:
    return node(InlineTable, rows="\n".join(map(json.dumps, rows)))


def mixed(folder: Path, **params: Any) -> list[str]:
    nodes = {name: table(*({"text": f"{name}{i}"} for i in range(50))) for name in "abc"}
    return flows.dataset(draw("a -> mix, b -> mix, c -> mix", **nodes, mix=node(Mix, **params)), folder, "mix")["text"][
        :
    ]


class TestMix:
    def test_one_after_the_other(self, tmp_path: Path) -> None:
        texts = mixed(tmp_path, mode="concatenate")
        assert texts == [f"{name}{i}" for name in "abc" for i in range(50)]
        shuffled = mixed(tmp_path, mode="concatenate", shuffle=True)
        assert shuffled != texts
        assert sorted(shuffled) == sorted(texts)

    def test_each_row_once_by_default(self, tmp_path: Path) -> None:
        texts = mixed(tmp_path)
        assert sorted(texts) == sorted(f"{name}{i}" for name in "abc" for i in range(50))
        assert texts == mixed(tmp_path)
        assert texts != mixed(tmp_path, seed=1)

    def test_weights_say_how_often(self, tmp_path: Path) -> None:
        texts = mixed(tmp_path, weight_1=8.0, stopping_strategy="first_exhausted")
        counts = Counter(text[0] for text in texts)
        assert counts["a"] == 50
        assert 0 < counts["b"] + counts["c"] < 30

    def test_rows_of_several_formats_are_converted_first(self, tmp_path: Path) -> None:
        nodes = {"a": table({"prompt": "x", "completion": "y"}), "b": table({"text": "z", "id": 1}), "mix": node(Mix)}
        (wrong,) = problems(draw("a -> mix, b -> mix", **nodes), tmp_path)
        assert wrong == (
            "Mix 'mix' > dataset_2: has the columns 'text', but dataset 1 has 'completion', 'prompt'; convert them to "
            "one format first."
        )


class TestDeduplicate:
    ROWS = [{"prompt": "a", "answer": "1"}, {"prompt": "A ", "answer": "1"}, {"prompt": "a", "answer": "2"}]

    @pytest.mark.parametrize(
        ("params", "kept"),
        [({}, [0, 1, 2]), ({"columns": ["prompt"]}, [0, 1]), ({"columns": ["prompt"], "ignore_case": True}, [0])],
    )
    def test_the_first_stays(self, params: dict[str, Any], kept: list[int], tmp_path: Path) -> None:
        rows = [*self.ROWS, self.ROWS[0]]
        drawn = draw("rows -> once", rows=table(*rows), once=node(Deduplicate, **params))
        assert list(flows.dataset(drawn, tmp_path, "once")) == [rows[i] for i in kept]

    def test_a_column_that_is_missing(self, tmp_path: Path) -> None:
        drawn = draw("rows -> once", rows=table(*self.ROWS), once=node(Deduplicate, columns=["x"]))
        (wrong,) = problems(drawn, tmp_path)
        assert wrong == "Deduplicate 'once' > columns: there is no column 'x'; there are 'prompt', 'answer'."


class TestInlineTable:
    ROWS = [{"text": "2024-01-01", "n": 3, "said": [{"role": "user", "content": "007"}]}] * 2

    @pytest.mark.parametrize("text", ["\n".join(map(json.dumps, ROWS)) + "\n\n", json.dumps(ROWS, indent=2)])
    def test_lines_or_a_list(self, text: str, tmp_path: Path) -> None:
        assert list(flows.dataset(draw(rows=node(InlineTable, rows=text)), tmp_path, "rows")) == self.ROWS

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"a": 1}\n{"a":', "row 2: Expecting value"),
            ('{"a": 1}\n3', "row 2: must be an object with columns, got 3."),
            ('{"a": 1}\n{"b": 1}', "row 2: has the columns 'b', but the first row has 'a'."),
            ('{"a": null}\n{"a": 1}\n{"a": "1"}', "row 3: 'a' is text, but a number in row 2; use values of one type"),
            ("{}", "row 1: must be an object with columns, got {}."),
            ("[]", "is empty; write one JSON object per line."),
            ('{"a": NaN}', "row 1: must be an object with columns, got {'a': nan}."),
        ],
    )
    def test_what_is_no_table(self, text: str, message: str, tmp_path: Path) -> None:
        (wrong,) = problems(draw(rows=node(InlineTable, rows=text)), tmp_path)
        assert wrong.startswith(f"Inline Table 'rows' > rows: {message}")
