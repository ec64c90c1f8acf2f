"""The columns of data files, told without loading the files."""

from __future__ import annotations

import json
from glob import glob
from pathlib import Path

import pytest

from ryven_llm_nodes.catalogue.columns import TooManyFiles, columns_of, matches, missing_columns

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
        ("object.json", b'[{"data": []}'),
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
        "SFT needs the columns 'messages' or 'prompt' + 'completion'; the dataset has 'prompt', 'answer'. "
        "Rename its columns with Map Columns, or use other data."
    ]
    assert "has none" in next(missing_columns("SFT", needs, ()))


class TestPatterns:
    """As ``glob.glob`` has it, but with an end."""

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        for name in ("a.jsonl", "b.json", ".hidden.jsonl", "x/a.jsonl", "x/y/a.jsonl", "x/.z/a.jsonl", "[q]/a.jsonl"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "x" / "circle").symlink_to(tmp_path)
        return tmp_path

    @pytest.mark.parametrize(
        "pattern",
        [
            "*.jsonl",
            "*/a.jsonl",
            "x/**/a.jsonl",
            "x/**/**/*.jsonl",
            "x/*",
            "?.json*",
            ".h*",
            "[ab].*",
            "none/*",
            "x/y/../*",
        ],
    )
    def test_what_glob_finds(self, pattern: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tree)
        wanted = {Path(name) for name in glob(pattern, recursive=True) if Path(name).is_file()}
        wanted = {name for name in wanted if "circle" not in name.parts[:-2]}
        assert {file.relative_to(tree) for file in matches(pattern, tree)} == wanted
        assert [*matches(str(tree / pattern), Path("/"))] == matches(pattern, tree)

    def test_a_folder_is_no_pattern(self, tree: Path) -> None:
        assert matches("*.jsonl", tree / "[q]") == [tree / "[q]" / "a.jsonl"]

    def test_half_a_disk_is_not_compared(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ryven_llm_nodes.catalogue.columns.MOST_ENTRIES", 4)
        with pytest.raises(TooManyFiles):
            matches("**/*.jsonl", tree)
        assert columns_of("**/*.jsonl", tree) is None
        assert matches("a.jsonl", tree) == [tree / "a.jsonl"]
