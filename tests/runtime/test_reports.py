"""Stages that make a report: made once, and by a script's ``--stage`` alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ryven_llm_nodes.runtime import lean
from ryven_llm_nodes.runtime.checkpoints import is_finished
from ryven_llm_nodes.runtime.pipeline import Pipeline
from ryven_llm_nodes.runtime.reports import make_report


class Counting:
    """Makes a report, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, rows: list[str]) -> dict[str, int]:
        self.count += 1
        return {"words": sum(len(row.split()) for row in rows)}


@pytest.fixture
def make() -> Counting:
    return Counting()


def test_it_is_made_once(tmp_path: Path, make: Counting) -> None:
    said: list[str] = []
    pipeline = Pipeline(tmp_path, say=said.append)
    assert make_report(pipeline, "words", make, rows=["one two", "three"]) == str(tmp_path / "words")
    assert json.loads((tmp_path / "words" / "report.json").read_text()) == {"words": 3}
    assert is_finished(tmp_path / "words")
    assert said == [f"words: {tmp_path / 'words'}"]
    make_report(pipeline, "words", make, rows=["one"])
    assert make.count == 1


def test_one_that_fails_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        make_report(Pipeline(tmp_path), "words", lambda rows: 1 / len(rows), rows=[])
    assert not is_finished(tmp_path / "words")


def test_another_stage_leaves_it_alone(tmp_path: Path, make: Counting) -> None:
    assert make_report(Pipeline(tmp_path, only="sft"), "words", make, rows=["one"]) == str(tmp_path / "words")
    assert (make.count, list(tmp_path.iterdir())) == (0, [])


def test_alone_it_needs_what_it_reads(tmp_path: Path, make: Counting) -> None:
    pipeline = Pipeline(tmp_path, only="loss")
    with pytest.raises(SystemExit, match="stage loss needs sft, which is not finished: run --stage sft"):
        make_report(pipeline, "loss", make, model=str(tmp_path / "sft"))


def test_a_lean_script_writes_the_same(tmp_path: Path, make: Counting) -> None:
    make_report(Pipeline(tmp_path / "full"), "words", make, rows=["one two"])
    lean.make_report(lean.Pipeline(tmp_path / "lean"), "words", make, rows=["one two"])
    full, short = (tmp_path / name / "words" / "report.json" for name in ("full", "lean"))
    assert full.read_bytes() == short.read_bytes()
