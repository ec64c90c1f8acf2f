"""Groups and notes in a flow file: whatever it holds, and what does not depend on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.program import build
from ryven_llm_nodes.program.annotations import COLOURS, KEY, SMALLEST, Annotation, annotations_of, to_data
from ryven_llm_nodes.program.mending import mended

SOME = [
    Annotation("group", "Preferences", 10.0, 20.0, 400.0, 300.0, "good"),
    Annotation("note", "compare\nboth", -5.0, 0.5, 240.0, 120.0),
]


def test_what_is_stored_is_read_again() -> None:
    assert annotations_of(to_data(SOME)) == SOME
    assert to_data([]) == {}


@pytest.mark.parametrize(
    "data",
    [None, [], 3, {}, {"items": 3}, {"items": [3, None, {}, {"kind": "drawing"}, {"kind": ["group"]}]}],
)
def test_what_is_none_is_left_out(data: Any) -> None:
    assert annotations_of(data) == []


def test_odd_values_become_usual_ones() -> None:
    odd = {"kind": "note", "text": 3, "x": "left", "y": float("nan"), "width": -1, "height": 1e99, "colour": "pink"}
    (found,) = annotations_of({"items": [odd]})
    assert found == Annotation("note", "", 0.0, 0.0, SMALLEST[0], SMALLEST[1], COLOURS[0])


def test_nothing_depends_on_them(data: Path) -> None:
    drawn = flows.alone("sft")
    with_notes = flows.alone("sft")
    with_notes["flows"]["sft"][KEY] = to_data(SOME)
    plain, noted = (flows.graph(one, data) for one in (drawn, with_notes))
    assert noted.digest == plain.digest
    assert build(noted).script.text == build(plain).script.text


def test_they_are_kept_where_a_file_is_cleaned() -> None:
    drawn = flows.alone("sft")
    drawn["flows"]["sft"][KEY] = to_data(SOME)
    assert annotations_of(mended(drawn)["flows"]["sft"][KEY]) == SOME
    drawn["flows"]["sft"][KEY] = "no"
    assert KEY not in mended(drawn)["flows"]["sft"]
