"""One pass over rows: what is counted, and where it occurs first."""

from __future__ import annotations

from typing import Any

import pytest

from ryven_llm_nodes.run.examine.survey import Surveyor, kind_of, unusual

CHAT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", "text"),
        (" ", "empty text"),
        (None, "null"),
        (True, "boolean"),
        (1.5, "number"),
        (CHAT, "conversation"),
        ([], "empty list"),
        ([{"from": "human", "value": "a"}], "conversation of from and value"),
        ([{"a": 1}], "list of objects"),
        ([1], "list"),
        ({"a": 1}, "object"),
        ({"role": "user", "content": "a"}, "single message"),
        ({"role": ["user"], "content": ["a"]}, "lists under keys"),
    ],
)
def test_kinds_of_values(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("turn", "found"),
    [
        ({"role": "user", "content": "a"}, []),
        ({"role": "user", "content": ""}, ["empty user"]),
        ({"role": "user", "content": None}, ["null user"]),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, ["tool_calls"]),
        ({"role": "assistant", "content": "a", "weight": 0}, ["weight 0"]),
        ({"role": "assistant", "content": "a", "weight": None}, []),
        ({"role": "assistant", "content": "a", "thinking": "b"}, ["reasoning"]),
        ({"role": "user", "content": [{"type": "text"}]}, ["parts"]),
        ({"role": "user", "content": 1}, ["number user"]),
    ],
)
def test_unusual_turns(turn: dict[str, Any], found: list[str]) -> None:
    assert list(unusual(turn)) == found


def test_rows_are_counted_from_one_across_batches() -> None:
    from datasets import Dataset

    rows = Dataset.from_list([{"text": "" if i in (1499, 2100) else "a"} for i in range(2200)])
    survey = Surveyor(["text"], ["text"]).look_at(rows)
    tally = survey.kinds["text"]["empty text"]
    assert (tally.count, tally.row, survey.rows) == (2, 1500, 2200)


def test_patterns_and_pairs() -> None:
    from datasets import Dataset

    other = [CHAT[0], {"role": "assistant", "content": "c"}]
    rows = Dataset.from_list([{"chosen": CHAT, "rejected": other}, {"chosen": CHAT, "rejected": CHAT}])
    survey = Surveyor(["chosen", "rejected"], ["chosen"], pair=["chosen", "rejected"]).look_at(rows)
    assert survey.patterns["chosen"][("user", "assistant")].count == 2
    assert survey.facts["equal pair"].row == 2
    assert "user turn in an answer" not in survey.facts


def test_held_out_rows_are_found_in_others() -> None:
    from datasets import Dataset

    held = Surveyor(["prompt"], ["prompt"])
    held.keep = True
    known = held.look_at(Dataset.from_list([{"prompt": "b"}])).fingerprints
    survey = Surveyor(["prompt"], ["prompt"], known).look_at(Dataset.from_list([{"prompt": "a"}, {"prompt": "b"}]))
    assert (survey.facts["held out"].row, survey.facts["held out"].count) == (2, 1)
