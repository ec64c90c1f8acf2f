"""Map Columns: templates, new names, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import draw, node, problems

from ryven_llm_nodes.catalogue import InlineTable, LoadDataset, MapColumns

ROWS = [{"question": "2 + {2}?", "answer": "4", "id": 1}, {"question": "3 + 3?", "answer": "6", "id": 2}]


def drawn(**params: Any) -> Any:
    table = node(InlineTable, rows="\n".join(map(json.dumps, ROWS)))
    return draw("rows -> mapped", rows=table, mapped=node(MapColumns, **params))


def mapped(folder: Path, **params: Any) -> list[dict[str, Any]]:
    return list(flows.dataset(drawn(**params), folder, "mapped"))


def test_a_template_is_filled_with_columns(tmp_path: Path) -> None:
    rows = mapped(
        tmp_path, templates={"prompt": "{id}. {question} {{x}}", "fixed": "a {{b}}"}, keep=["prompt", "fixed"]
    )
    assert rows == [
        {"prompt": "1. 2 + {2}? {x}", "fixed": "a {b}"},
        {"prompt": "2. 3 + 3? {x}", "fixed": "a {b}"},
    ]


def test_messages_are_built(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "{question}"}, {"role": "assistant", "content": "It is {answer}."}]
    rows = mapped(tmp_path, templates={"messages": messages}, keep=["messages"])
    assert rows[1] == {
        "messages": [{"role": "user", "content": "3 + 3?"}, {"role": "assistant", "content": "It is 6."}]
    }


def test_columns_are_renamed_and_kept(tmp_path: Path) -> None:
    rows = mapped(tmp_path, rename={"question": "prompt", "answer": "completion"}, keep=["completion", "prompt"])
    assert rows[0] == {"completion": "4", "prompt": "2 + {2}?"}
    assert list(rows[0]) == ["completion", "prompt"]


def test_another_template_is_not_taken_for_the_one_before(work: Path) -> None:
    """The cache of datasets knows a call by its function."""
    for template in ("one {text}", "two {text}"):
        nodes = {
            "rows": node(LoadDataset, path="text.jsonl"),
            "mapped": node(MapColumns, templates={"text": template}),
        }
        found = flows.dataset(draw("rows -> mapped", **nodes), work, "mapped")
        assert found["text"][0] == template.format(text="what is 0 answer 0")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"templates": {"x": "{quest}"}}, "templates: 'x': there is no column 'quest'; there are 'question', 'answer'"),
        ({"templates": {"x": "{"}}, "templates: 'x': Single '{' encountered in format string in '{'; write a brace"),
        ({"templates": {"x": "{}"}}, "templates: 'x': must hold names of columns in braces, got {}"),
        ({"templates": {"x": "{id.real}"}}, "templates: 'x': must hold names of columns in braces, got {id.real}"),
        ({"templates": {"x": "{id[0]}"}}, "templates: 'x': must hold names of columns in braces, got {id[0]}"),
        ({"templates": {"x": 1}}, "templates: 'x': must be text or messages with role and content, got 1."),
        ({"templates": {"x": [{"role": "user"}]}}, "templates: 'x': must be text or messages with role and content"),
        ({"rename": {"a": "b"}}, "rename: there is no column 'a'; there are 'question', 'answer', 'id'."),
        ({"rename": {"id": 3}}, "rename: the new name of 'id' must be text, got 3."),
        ({"rename": {"id": "answer"}}, "rename: two columns would be called 'answer'; rename the other one too."),
        ({"keep": ["a"]}, "keep: there is no column 'a'; there are 'question', 'answer', 'id'."),
    ],
)
def test_what_cannot_be_mapped(params: dict[str, Any], message: str, tmp_path: Path) -> None:
    (wrong,) = problems(drawn(**params), tmp_path)
    assert wrong.startswith(f"Map Columns 'mapped' > {message}")


def test_a_template_reaches_nothing_but_the_row(tmp_path: Path) -> None:
    """A flow of someone else runs nothing by its templates."""
    assert problems(drawn(templates={"x": "{id.__class__.__mro__}"}), tmp_path)
    assert problems(drawn(templates={"x": "{id:{question.__class__}}"}), tmp_path)
    assert problems(drawn(templates={"x": "{id:999999999}"}), tmp_path)
    assert problems(drawn(templates={"x": "{id!r}"}), tmp_path)
