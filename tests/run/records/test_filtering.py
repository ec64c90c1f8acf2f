"""Runs are found by words and by comparisons."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest
import records

from ryven_llm_nodes.run.records.facts import facts_of
from ryven_llm_nodes.run.records.filtering import matches
from ryven_llm_nodes.run.records.history import past_run
from ryven_llm_nodes.run.records.labels import Label, write_label


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", True),
        ("best", True),
        ("BEST sft", True),
        ("best dpo", False),
        ("note-of", True),
        ("done", True),
        ("status=done", True),
        ("status=failed", False),
        ("sft.learning_rate<1e-5", True),
        ("learning_rate=1e-6", True),
        ("learning_rate>1e-5", False),
        ("loss<0.2", True),
        ("loss<0.1", False),
        ("loss>=0.1 best", True),
        ("sft.lr_scheduler_type=cosine", True),
        ("lr_scheduler_type!=cosine", False),
        ("dpo.loss<9", False),
        ("nothing=3", False),
    ],
)
def test_a_query(query: str, fits: bool, data: Path, tmp_path: Path) -> None:
    drawn = flows.alone("sft", learning_rate=1e-6, lr_scheduler_type="cosine")
    run = records.record(data, tmp_path, drawn, sft=2.0)
    write_label(run.folder, Label("the best", "a note-of mine"))
    again = past_run(run.folder)
    assert again is not None
    assert matches(again, facts_of(again), query) == fits
