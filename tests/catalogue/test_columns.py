"""The columns of data files, told without loading the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ryven_llm_nodes.catalogue.columns import columns_of, matches, missing_columns

ROWS = [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d", "extra": 1}]


def write_parquet(file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"prompt": ["a"], "completion": ["b"]}), file)


WRITERS = {
    "rows.jsonl": lambda file: file.write_text("\n" + "\n".join(map(json.dumps, ROWS))),
    "bom.jsonl": lambda file: file.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8-sig"),
    "rows.json": lambda file: file.write_text(json.dumps(ROWS)),
    "lines.json": lambda file: file.write_text("\n".join(map(json.dumps, ROWS))),
    "rows.csv": lambda file: file.write_text('prompt,completion\r\n"a\nb",c\r\n', newline=""),
    "bom.csv": lambda file: file.write_text('prompt,"completion"\n', encoding="utf-8-sig"),
    "rows.parquet": write_parquet,
    "ROWS.JSONL": lambda file: file.write_text(json.dumps(ROWS[0])),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    assert columns_of(name, tmp_path) == ("prompt", "completion")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jsonl", b""),
        ("broken.jsonl", b"{"),
        ("scalar.jsonl", b"1\n"),
        ("binary.jsonl", b"\xff\xfe\x00"),
        ("deep.jsonl", b"[" * 100_000),
        ("digits.jsonl", b"1" * 10_000),
        ("object.json", b'{"data": []}'),
        ("empty.csv", b""),
        ("field.csv", b'"' + b"x" * 200_000 + b'"\n'),
        ("broken.parquet", b"PAR1....PAR1"),
        ("short.parquet", b"PAR1"),
        ("table.xlsx", b"PK"),
        ("model", b""),
    ],
)
def test_what_cannot_be_told_is_left_to_the_run(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert columns_of(name, tmp_path) is None


@pytest.mark.parametrize(
    "path", ["none.jsonl", "a\0b.jsonl", "x" * 5000 + ".jsonl", "~nobody-here/x.jsonl", ".jsonl", "[.jsonl"]
)
def test_a_file_that_there_is_not(path: str, tmp_path: Path) -> None:
    assert matches(path, tmp_path) == []
    assert columns_of(path, tmp_path) is None


def test_a_pattern_stands_for_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text(json.dumps({name: 1}))
    assert [file.name for file in matches("*.jsonl", tmp_path)] == ["a.jsonl", "b.jsonl"]
    assert columns_of("*.jsonl", tmp_path) == ("a.jsonl",)


def test_missing_columns_says_what_is_needed_and_what_there_is() -> None:
    needs = (("messages",), ("prompt", "completion"))
    assert list(missing_columns("SFT", needs, ("prompt", "completion", "id"))) == []
    assert list(missing_columns("SFT", needs, ("prompt", "answer"))) == [
        "SFT needs the columns 'messages' or 'prompt' + 'completion'; the data set has 'prompt', 'answer'. "
        "Rename its columns or take other data."
    ]
    assert "has none" in next(missing_columns("SFT", needs, ()))
