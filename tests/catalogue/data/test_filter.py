"""Filter: which rows stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import BASE, draw, node, problems

from ryven_llm_nodes.catalogue import Filter, InlineTable, LoadDataset, RewardFunction
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.trust.foreign import foreign_code

SAID = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello there"}]
ROWS: list[dict[str, Any]] = [
    {"prompt": "one two", "messages": SAID},
    {"prompt": "  ", "messages": SAID},
    {"prompt": None, "messages": SAID},
    {"prompt": "three", "messages": []},
    {"prompt": "a longer text", "messages": [{"role": "user", "content": "x"}]},
]


def drawn(**params: Any) -> Any:
    table = node(InlineTable, rows="\n".join(map(json.dumps, ROWS)))
    return draw("rows -> kept, base -> kept.model", rows=table, base=BASE, kept=node(Filter, **params))


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({}, [0, 4]),
        ({"columns": ["prompt"]}, [0, 3, 4]),
        ({"not_empty": False}, [0, 1, 2, 3, 4]),
        ({"columns": ["prompt"], "min_length": 5, "max_length": 7}, [0, 3]),
        ({"columns": ["messages"], "max_length": 3}, [4]),
        ({"columns": ["prompt"], "pattern": r"t\w+o?$"}, [0, 3, 4]),
        ({"columns": ["prompt"], "pattern": r"\s", "exclude": True}, [3]),
        ({"not_empty": False, "columns": ["messages"], "pattern": "hello"}, [0, 1, 2]),
        ({"columns": ["prompt"], "unit": "tokens", "max_length": 7}, [0, 3]),
        ({"not_empty": False, "code": "def two(row):\n    return len(row['messages']) == 2"}, [0, 1, 2]),
    ],
)
def test_which_rows_stay(params: dict[str, Any], kept: list[int], workspace: Path) -> None:
    assert list(flows.dataset(drawn(**params), workspace, "kept")) == [ROWS[i] for i in kept]


def test_tokens_are_those_of_the_tokenizer(workspace: Path) -> None:
    tokenizer = flows.make_tokenizer()
    for column in ("prompt", "messages"):
        for row in (ROWS[0], ROWS[4]):
            length = len(
                tokenizer(row[column])["input_ids"]
                if column == "prompt"
                else tokenizer.apply_chat_template(row[column], return_dict=False)
            )
            for limit, is_kept in ((length, True), (length - 1, False)):
                found = flows.dataset(drawn(columns=[column], unit="tokens", max_length=limit), workspace, "kept")
                assert (row in list(found)) is is_kept


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"columns": ["x"]}, "columns: there is no column 'x'; there are 'prompt', 'messages'."),
        ({"min_length": 3, "max_length": 2}, "max_length: must be at least min_length, 3, got 2."),
        ({"pattern": "("}, "pattern: is not a regular expression: missing ), unterminated subpattern"),
        ({"code": "def f(:"}, "code: syntax error in line 1"),
        ({"code": "x = 1"}, "code: defines no function"),
        ({"code": "def f(): ..."}, "code: kept_keep() must be a plain function of one argument, the row."),
        ({"code": "async def f(row): ..."}, "code: kept_keep() must be a plain function of one argument, the row."),
        ({"code": "def f(row):\n    return rows_of(row)"}, "code: line 2: uses 'rows_of', which nothing defines"),
    ],
)
def test_what_cannot_be_filtered(params: dict[str, Any], message: str, data: Path) -> None:
    (wrong,) = problems(drawn(**params), data)
    assert wrong.startswith(f"Filter 'kept' > {message}")


def test_tokens_need_a_model(data: Path) -> None:
    nodes = {"rows": node(InlineTable), "kept": node(Filter, unit="tokens", max_length=3)}
    (wrong,) = problems(draw("rows -> kept", **nodes), data)
    assert wrong == (
        "Filter 'kept' > unit: tokens are counted by the tokenizer of a model; connect one, or count characters."
    )


def test_code_of_someone_else_is_shown_before_it_runs(data: Path) -> None:
    graph = flows.graph(drawn(code="def f(row):\n    return True"), data)
    (found,) = foreign_code(graph)
    assert (found.step, found.what) == ("kept", "runs Python code of its own")
    assert foreign_code(flows.graph(drawn(pattern="x"), data)) == []


def test_two_filters_and_a_reward_may_have_functions_of_one_name(data: Path) -> None:
    code = "def f(row):\n    return True"
    reward = node(RewardFunction, code="def f(completions, **kwargs):\n    return [1.0 for _ in completions]")
    nodes = {"rows": node(InlineTable), "a": node(Filter, code=code), "b": node(Filter, code=code), "c": reward}
    assert problems(draw("rows -> a, a -> b", **nodes), data) == []


def test_an_error_of_the_code_names_its_line(work: Path, tmp_path: Path) -> None:
    rows, code = node(LoadDataset, path="text.jsonl"), "\n\ndef f(row):\n    return row['none']"
    outcome = run_program(flows.program(draw("rows -> kept", rows=rows, kept=node(Filter, code=code)), work), tmp_path)
    assert str(outcome.error) == "Filter 'kept' > code: line 4: KeyError: 'none'."


def test_a_module_that_the_code_imports_may_change(work: Path) -> None:
    """The cache of datasets does not look into modules."""
    code = "import helper_of_filter\n\n\ndef f(row):\n    return helper_of_filter.keeps(row)"
    rows = node(LoadDataset, path="text.jsonl")
    for line, count in (("return True", 16), ("return row['text'].endswith('3')", 2)):
        (work / "helper_of_filter.py").write_text(f"def keeps(row):\n    {line}\n")
        found = flows.dataset(draw("rows -> kept", rows=rows, kept=node(Filter, code=code)), work, "kept")
        assert len(found) == count
        assert len(found.map(lambda row: {"n": 1})) == count, "what comes after it is not that of before, either"
