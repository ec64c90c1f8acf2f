"""JSON rows reach the dataset as they stand in the file."""

from __future__ import annotations

import gzip
import json
from glob import escape
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.runtime import reading
from ryven_llm_nodes.runtime.reading import read_json

ROWS: list[dict[str, Any]] = [
    {"on": "2024-03-01", "answer": "3", "count": 3, "said": [{"role": "user", "content": "2024-03-01"}]},
    {"on": "2024-03-02", "answer": 3, "count": None, "said": []},
    {"on": None, "answer": True, "count": 4, "said": [{"role": "user", "content": "007"}]},
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("rows.jsonl", LINES.encode(), {}),
        ("blank.jsonl", b"\xef\xbb\xbf" + LINES.replace("\n", "\n\n").encode(), {}),
        ("rows.jsonl.gz", gzip.compress(LINES.encode()), {}),
        ("wide.jsonl", LINES.encode("utf-16"), {"encoding": "utf-16"}),
        ("list.json", json.dumps(ROWS, indent=1).encode(), {}),
        ("[clean] rows (1).json", json.dumps(ROWS).encode(), {}),
        ("under.json", json.dumps({"version": 1, "data": ROWS}).encode(), {"field": "data"}),
    ],
)
def test_every_value_is_the_one_in_the_file(name: str, content: bytes, options: Any, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert list(read_json(escape(str(tmp_path / name)), **options)) == ROWS


DATED: list[dict[str, Any]] = [
    {
        "on": f"2024-03-{i % 28 + 1:02d}",
        "n": i if i % 3 else None,
        "x": 0.5 if i == 7 else i,
        "said": [{"at": "2024-01-01T10:00:00Z"}],
    }
    for i in range(5000)
]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_dates_are_read_without_a_detour(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by way of Python's objects, of which a million take gigabytes."""
    lines = "".join(json.dumps(row) + "\n" for row in DATED).encode()
    (tmp_path / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    monkeypatch.setattr(reading, "dataset_of", None)
    assert list(read_json(str(tmp_path / name))) == DATED


def test_several_files_and_patterns_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"name": name} | ({"more": 1} if name == "a" else {})))
    rows = read_json([str(tmp_path / "c.jsonl"), str(tmp_path / "[ab].jsonl")])
    assert list(rows) == [{"name": "c", "more": None}, {"name": "a", "more": 1}, {"name": "b", "more": None}]


def test_a_row_that_cannot_be_parsed_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a": \n')
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 3: Expecting value"):
        read_json(str(tmp_path / "rows.jsonl"))
