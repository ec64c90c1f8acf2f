"""Files that a reader of datasets cannot read: the error names file, line and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import SFT, LoadDataset
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.examine.broken_data import broken_data
from ryven_llm_nodes.system.causes import describe

ROW = {"prompt": "a", "completion": "b"}
HEAD = "prompt,completion\n"
CASES = {
    "truncated.jsonl": (
        json.dumps(ROW) + '\n\n{"prompt": "a", "compl\n',
        "truncated.jsonl, line 3, column 23: Invalid control",
    ),
    "list.jsonl": (json.dumps(ROW) + "\n[1, 2]\n", "list.jsonl, line 2: contains [1, 2], not an object with columns."),
    "truncated.json": (
        f"[{json.dumps(ROW)},\n{json.dumps(ROW)},\n",
        "truncated.json, line 3, column 1: Expecting value",
    ),
    "quote.csv": (HEAD + 'a,b\nc,"d\ne,f\n', "quote.csv, line 3: a quote is never closed."),
    "cells.csv": (HEAD + "a,b\nc,d,e\n", "cells.csv, line 3: has 3 cells, but the header has 2."),
}


def error_of(work: Path, out: Path, pattern: str) -> str:
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.BASE,
        rows=node(LoadDataset, path=pattern),
        sft=node(SFT, **flows.FAST, dataset_text_field="prompt"),
    )
    return str(run_program(flows.program(drawn, work), out).error)


@pytest.mark.parametrize("name", CASES)
def test_the_place_is_named(name: str, work: Path, tmp_path: Path) -> None:
    content, message = CASES[name]
    file = work / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    error = error_of(work, tmp_path / "out", name)
    assert error.startswith((f"Load Dataset 'rows': {message}", f"Load Dataset 'rows' > path: {message}"))
    assert error.endswith(("Save As).", "remove it.", '("").', '("...").'))


def test_files_that_differ(work: Path, tmp_path: Path) -> None:
    (work / "part-1.csv").write_text("prompt,source\na,x\n")
    (work / "part-2.csv").write_text("prompt,completion\na,b\n")
    assert error_of(work, tmp_path / "out", "part-*.csv") == (
        "Load Dataset 'rows': part-2.csv has a column 'completion', which part-1.csv has not. Give all files the same "
        "columns, or load each kind with its own node."
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "latin.csv",
            (HEAD + "wie schön,b\n").encode("cp1252"),
            "latin.csv, line 2, column 8: byte 0xf6 (in cp1252: 'ö')",
        ),
        ("latin.jsonl", '{"prompt": "ö"}\n'.encode("cp1252"), "latin.jsonl, line 1, column 13: byte 0xf6"),
        ("wide.csv", (HEAD + "a,b\n").encode("utf-16"), "wide.csv is UTF-16. Save the file as UTF-8 (iconv -f UTF-16"),
    ],
)
def test_bytes_that_are_not_utf8(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert str(broken_data(lambda: [tmp_path / name])).startswith(message)


def test_columns_that_hold_other_values_in_another_file(work: Path, tmp_path: Path) -> None:
    (work / "part-1.jsonl").write_text(json.dumps({**ROW, "score": 1}) + "\n")
    (work / "part-2.jsonl").write_text(json.dumps({**ROW, "score": "one"}) + "\n")
    error = error_of(work, tmp_path / "out", "part-*.jsonl")
    assert "part-2.jsonl, line 1: column 'score' contains text, but numbers in part-1.jsonl, line 1." in error


class TestCauses:
    def test_are_told(self) -> None:
        """A library's "an error occurred" says nothing without them."""
        error = RuntimeError("An error occurred while generating the dataset")
        error.__cause__ = ValueError("row 7 is broken")
        assert describe(error) == (
            "RuntimeError: An error occurred while generating the dataset. Cause: ValueError: row 7 is broken."
        )

    def test_are_told_once(self) -> None:
        error = RuntimeError("cannot read: row 7 is broken")
        error.__cause__ = ValueError("row 7 is broken")
        assert describe(error) == "RuntimeError: cannot read: row 7 is broken."

    def test_that_lead_in_a_circle_end(self) -> None:
        first, second = RuntimeError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        assert describe(first) == "RuntimeError: first. Cause: ValueError: second."

    def test_give_the_remedy(self) -> None:
        error = RuntimeError("it failed")
        error.__cause__ = OSError("No space left on device")
        assert describe(error).endswith("Free disk space.")
