"""The demo's rows: deterministic, disjoint, and in the columns that the trainers want."""

from __future__ import annotations

import re

import pytest

from ryven_llm_nodes.demo import data
from ryven_llm_nodes.demo.data import ROWS, DemoData, build_data, read_rows
from ryven_llm_nodes.demo.docs import Item
from ryven_llm_nodes.errors import DemoError

COLUMNS = {
    "sft": {"prompt", "completion"},
    "preferences": {"prompt", "chosen", "rejected"},
    "ppo_prompts": {"prompt", "topic"},
    "grpo_prompts": {"prompt", "topic"},
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> DemoData:
    return build_data(tmp_path_factory.mktemp("data"))


def _files(built: DemoData) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(built.folder.iterdir())}


def _asked(row: dict) -> str:
    return re.search(r"`(.+)`", row["prompt"][-1]["content"]).group(1)


def test_the_same_seed_gives_the_same_bytes(built, tmp_path):
    again = build_data(tmp_path / "again")
    other = build_data(tmp_path / "other", seed=1)
    assert _files(again) == _files(built)
    assert _files(other) != _files(built)


@pytest.mark.parametrize("stem", ROWS)
def test_rows_have_their_columns_and_number(built, stem):
    split = getattr(built, stem)
    for path, count in zip((split.train, split.held_out), ROWS[stem], strict=True):
        rows = read_rows(path)
        assert len(rows) == count
        assert all(set(row) == COLUMNS[stem] for row in rows)
        assert all(row["prompt"][-1]["role"] == "user" for row in rows)


def test_no_item_is_in_two_rows(built):
    paths = [path for stem in ROWS for path in vars(getattr(built, stem)).values()]
    asked = [_asked(row) for path in paths for row in read_rows(path)]
    assert len(asked) == sum(map(sum, ROWS.values()))
    assert len(set(asked)) == len(asked)


def test_the_rejected_answer_is_the_chosen_one_buried_in_talk(built):
    for row in read_rows(built.preferences.train):
        chosen, rejected = row["chosen"][0]["content"], row["rejected"][0]["content"]
        assert chosen in rejected
        assert len(rejected.split()) > 2 * len(chosen.split())
        assert "{" not in rejected.replace(chosen, "")


def test_the_topic_is_the_last_part_of_the_name(built):
    for row in read_rows(built.grpo_prompts.train):
        assert _asked(row).endswith("." + row["topic"])


def test_a_python_without_documentation_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "documented_items", lambda: [Item("a.b", "function", "One.")])
    with pytest.raises(DemoError, match="-OO"):
        build_data(tmp_path)
