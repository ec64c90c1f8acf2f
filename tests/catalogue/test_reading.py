"""What the beginning of a data file tells about how it is to be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.catalogue import reading
from ryven_llm_nodes.catalogue.reading import Look, ending_of, look, needs_zstandard

HEAD = "prompt,completion\n"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def seen(folder: Path, rows: list[Any], **options: str) -> Look:
    return look(written(folder, "rows.jsonl", "\n".join(map(json.dumps, rows))), **options)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.jsonl", ".jsonl"),
        ("a.JSONL.GZ", ".jsonl"),
        ("a.json.zst", ".json"),
        ("a.csv.bz2", ".csv"),
        ("a.b.parquet", ".parquet"),
        ("a.gz", ""),
        ("owner/name", ""),
        ("a.xlsx", ""),
    ],
)
def test_the_ending_tells_the_format(name: str, ending: str) -> None:
    assert ending_of(name) == ending


class TestCSV:
    @pytest.mark.parametrize(
        ("name", "content", "separator", "encoding"),
        [
            ("a.csv", HEAD, ",", "utf-8"),
            ("a.csv.gz", HEAD, ",", "utf-8"),
            ("a.csv", HEAD.replace(",", ";"), ";", "utf-8"),
            ("a.tsv", HEAD.replace(",", "\t"), "\t", "utf-8"),
            ("a.csv", HEAD.replace(",", "\t").encode("utf-16"), "\t", "utf-16"),
            ("a.csv", HEAD.encode("utf-8-sig"), ",", "utf-8"),
            ("a.csv", "\n\r\n" + HEAD, ",", "utf-8"),
        ],
    )
    def test_is_told(self, name: str, content: Any, separator: str, encoding: str, tmp_path: Path) -> None:
        found = look(written(tmp_path, name, content))
        assert (found.columns, found.separator, found.encoding) == (("prompt", "completion"), separator, encoding)

    def test_bytes_of_another_encoding_are_named(self, tmp_path: Path) -> None:
        file = written(tmp_path, "a.csv", (HEAD + "schön,b\n").encode("cp1252"))
        assert look(file).undecodable == "line 2: byte 0xf6 (in cp1252: 'ö') is not utf-8"
        assert look(file, encoding="cp1252").first == {"prompt": "schön", "completion": "b"}

    def test_a_column_without_a_name_is_called_as_pandas_calls_it(self, tmp_path: Path) -> None:
        assert look(written(tmp_path, "a.csv", ",prompt\n0,a\n")).columns == ("Unnamed: 0", "prompt")

    def test_a_file_that_has_changed_is_read_again(self, tmp_path: Path) -> None:
        assert look(written(tmp_path, "a.csv", "a\n")).columns == ("a",)
        assert look(written(tmp_path, "a.csv", "b,c\n")).columns == ("b", "c")


class TestJSON:
    @pytest.mark.parametrize(
        ("values", "is_literal"),
        [
            (["2024-03-01", "2024-03-02T10:00:00Z", None], True),
            (["2024-03-01", "soon"], False),
            (["about 2024-03-01"], False),
            ([[{"on": "2024-03-01"}]], True),
            (["3", 3], True),
            ([3, None, 4.5], False),
            (["007", "3"], False),
            ([{"a": 1}, "text"], False),
        ],
    )
    def test_values_that_a_reader_would_change(self, values: list[Any], is_literal: bool, tmp_path: Path) -> None:
        assert seen(tmp_path, [{"v": value} for value in values]).is_literal is is_literal

    @pytest.mark.parametrize(
        ("document", "columns", "under", "is_frame"),
        [
            ([{"a": 1}], ("a",), (), False),
            ({"version": 1, "data": [{"a": 1}]}, ("a",), ("data",), False),
            ({"train": [{"a": 1}], "test": [{"a": 2}]}, None, ("train", "test"), False),
            ({"a": {"0": "x"}, "b": {"0": "y"}}, None, (), True),
            ({"a": 1}, ("a",), (), False),
        ],
    )
    def test_objects_of_one_file(self, document: Any, columns: Any, under: Any, is_frame: bool, tmp_path: Path) -> None:
        found = look(written(tmp_path, "a.json", json.dumps(document, indent=1)))
        assert (found.columns, found.under, found.is_frame) == (columns, under, is_frame)

    def test_a_key_chooses(self, tmp_path: Path) -> None:
        file = written(tmp_path, "a.json", json.dumps({"train": [{"a": 1}], "test": [{"b": 2}]}))
        assert look(file, key="test").columns == ("b",)


def test_zstandard_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, is_needed in ((None, True), (object(), False)):
        monkeypatch.setattr(reading, "_zstandard", lambda module=module: module)
        assert needs_zstandard("a.jsonl.zst") is is_needed
        assert not needs_zstandard("a.jsonl.gz")
