"""Load Model and Load Dataset."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from flows import draw, node, problems, program

from ryven_llm_nodes.catalogue import LoadDataset, LoadModel
from ryven_llm_nodes.catalogue.values import DatasetValue, ModelValue
from ryven_llm_nodes.run.store.keys import keys_of


def model(root: Path, **params: Any) -> tuple[str, ModelValue]:
    """The statement of a Load Model node, and what its output stands for."""
    cell = program(draw(base=node(LoadModel, **params)), root).cells["base"]
    value = cell.values["model"]
    assert isinstance(value, ModelValue)
    return cell.statement, value


def rows(root: Path, **params: Any) -> tuple[str, DatasetValue]:
    """The statement of a Load Dataset node, and what its output stands for."""
    cell = program(draw(rows=node(LoadDataset, **params)), root).cells["rows"]
    value = cell.values["dataset"]
    assert isinstance(value, DatasetValue)
    return cell.statement, value


class TestLoadModel:
    def test_hub(self, data: Path) -> None:
        assert model(data, path="owner/name")[0] == 'base = "owner/name"'

    def test_folder_beside_the_flow(self, data: Path) -> None:
        assert model(data, path="model")[0] == 'base = str(ROOT / "model")'
        assert model(data, path="./model")[0] == 'base = str(ROOT / "./model")'

    def test_only_what_differs_from_trl_is_passed_on(self, data: Path) -> None:
        assert model(data, path="a/b")[1].init_kwargs == {}
        given = {"dtype": "bfloat16", "attn_implementation": "sdpa", "revision": "v1", "trust_remote_code": True}
        value = model(data, path="a/b", **given)[1]
        assert value.init_kwargs == {"dtype": "bfloat16", "attn_implementation": "sdpa", "revision": "v1"}
        assert value.trust_remote_code

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (None, "the model folder './m' does not exist; give a folder with config.json, or a Hub id (owner/name)."),
            ([], "'./m' is not a model folder: it has no config.json."),
            (["config.json"], "'./m' contains no weights (*.safetensors); save the model there with save_pretrained."),
            (
                ["config.json", "a.safetensors"],
                "'./m' contains no tokenizer; save it there with tokenizer.save_pretrained.",
            ),
        ],
    )
    def test_a_folder_that_is_no_model(self, files: list[str] | None, message: str, tmp_path: Path) -> None:
        if files is not None:
            (tmp_path / "m").mkdir()
            for name in files:
                (tmp_path / "m" / name).touch()
        assert problems(draw(base=node(LoadModel, path="./m")), tmp_path) == [f"Load Model 'base' > path: {message}"]

    def test_a_file_is_no_model(self, data: Path) -> None:
        (wrong,) = problems(draw(base=node(LoadModel, path="sft.jsonl")), data)
        assert "the model folder 'sft.jsonl' is a file" in wrong

    def test_a_folder_has_no_revision(self, data: Path) -> None:
        (wrong,) = problems(draw(base=node(LoadModel, path="model", revision="v1")), data)
        assert wrong == "Load Model 'base' > revision: is for Hub models, but 'model' is a folder; clear it."

    @pytest.mark.parametrize("path", ["./" + "x" * 5000, "~nobody-here/x", "./\0", "./\ud800"])
    def test_a_place_that_cannot_be(self, path: str, data: Path) -> None:
        (wrong,) = problems(draw(base=node(LoadModel, path=path)), data)
        assert "does not exist" in wrong

    def test_a_path_is_required(self, data: Path) -> None:
        (wrong,) = problems(draw(base=node(LoadModel)), data)
        assert wrong.startswith("Load Model 'base' > path: is empty; give a value. Typical: ")


class TestLoadDataset:
    @pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet", "arrow", "txt"])
    def test_local_file(self, suffix: str, tmp_path: Path) -> None:
        (tmp_path / f"d.{suffix}").touch()
        kind = {"jsonl": "json", "txt": "text"}.get(suffix, suffix)
        statement = f'rows = load_dataset("{kind}", data_files=str(ROOT / "d.{suffix}"), split="train")'
        assert rows(tmp_path, path=f"d.{suffix}")[0] == statement

    def test_hub(self, data: Path) -> None:
        assert rows(data, path="a/b")[0] == 'rows = load_dataset("a/b", split="train")'
        given = {"path": "a/b", "config": "c", "split": "test[:5]", "revision": "v1"}
        assert rows(data, **given)[0] == 'rows = load_dataset("a/b", "c", split="test[:5]", revision="v1")'

    def test_the_limit_counts_after_the_shuffle(self, data: Path) -> None:
        lines = rows(data, path="a/b", shuffle=True, seed=7, limit=3)[0].split("\n")
        assert lines[1:] == ["rows = rows.shuffle(seed=7)", "rows = rows.select(range(min(3, len(rows))))"]

    def test_a_folder(self, data: Path) -> None:
        assert rows(data, path="./model")[0] == 'rows = load_dataset(str(ROOT / "./model"), split="train")'

    def test_columns_are_known_before_it_is_loaded(self, data: Path) -> None:
        assert rows(data, path="pairs.jsonl")[1].columns == ("prompt", "chosen", "rejected")
        assert rows(data, path="a/b")[1].columns is None

    def test_what_the_statement_loads(self, tmp_path: Path) -> None:
        from datasets import load_dataset

        lines = [json.dumps({"text": str(i)}) for i in range(9)]
        (tmp_path / "d.jsonl").write_text("\n".join(lines))
        namespace = {"load_dataset": load_dataset, "ROOT": tmp_path}
        exec(rows(tmp_path, path="d.jsonl", limit=4)[0], namespace)
        assert namespace["rows"]["text"][:] == ["0", "1", "2", "3"]

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("none.jsonl", "the file 'none.jsonl' does not exist (looked in "),
            ("*/x.csv", "the file '*/x.csv' does not exist"),
            ("./folder", "'./folder' does not exist; give a .jsonl, .json, .csv, .parquet"),
            ("~nobody-here/x", "does not exist"),
            ("./" + "x" * 5000, "does not exist"),
            ("model/config.ini", "is not a data file; give one that ends in .jsonl, .json, .csv, .parquet"),
        ],
    )
    def test_what_is_not_there(self, path: str, message: str, data: Path) -> None:
        (data / "model" / "config.ini").touch()
        (wrong,) = problems(draw(rows=node(LoadDataset, path=path)), data)
        assert wrong.startswith("Load Dataset 'rows' > path: ")
        assert message in wrong

    @pytest.mark.parametrize(
        ("params", "place"),
        [({"limit": 0}, "limit"), ({"seed": -1}, "seed"), ({"seed": 2**32}, "seed"), ({"split": ""}, "split")],
    )
    def test_ranges(self, params: dict[str, Any], place: str, data: Path) -> None:
        (wrong,) = problems(draw(rows=node(LoadDataset, path="a/b", **params)), data)
        assert f"> {place}: " in wrong


class TestValuesStayAsTheyAre:
    """What a statement loads is what stands in the file."""

    def loaded(self, folder: Path, **params: Any) -> Any:
        """The dataset that the cell of a Load Dataset node makes."""
        cell = program(draw(rows=node(LoadDataset, **params)), folder).cells["rows"]
        namespace: dict[str, Any] = {"ROOT": folder}
        exec("\n".join((*cell.imports, cell.statement)), namespace)
        value = cell.values["dataset"]
        assert isinstance(value, DatasetValue)
        assert value.columns is None or set(value.columns) == set(namespace["rows"].column_names)
        return namespace["rows"]

    def test_cells_of_csv(self, tmp_path: Path) -> None:
        cells = ["NA", "None", "null", "007", "3", "", "2024-03-01", "True", "1e5"]
        (tmp_path / "d.csv").write_text("prompt,answer\n" + "".join(f"q,{cell}\n" for cell in cells))
        assert self.loaded(tmp_path, path="d.csv")["answer"][:] == cells

    def test_columns_of_csv_that_are_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_text("completion,label,score\na,True,1\nb,false,0.5\n")
        rows = self.loaded(tmp_path, path="d.csv", types={"score": "float64"})
        assert rows[:] == {"completion": ["a", "b"], "label": [True, False], "score": [1.0, 0.5]}
        (tmp_path / "e.csv").write_text("completion,label\na,good\n")
        assert self.loaded(tmp_path, path="e.csv")["label"][:] == ["good"]

    @pytest.mark.parametrize(
        ("name", "encoding", "separator", "given"),
        [
            ("d.csv", "utf-8", ";", {}),
            ("d.csv", "utf-16", "\t", {}),
            ("d.csv", "cp1252", ",", {"encoding": "cp1252"}),
            ("d.tsv", "utf-8-sig", "\t", {}),
            ("d.csv", "utf-8", "~", {"separator": "~"}),
        ],
    )
    def test_csv_of_other_programs(
        self, name: str, encoding: str, separator: str, given: dict[str, str], tmp_path: Path
    ) -> None:
        text = f"prompt{separator}completion\nwie{separator}schön\n"
        (tmp_path / name).write_bytes(text.encode(encoding))
        assert self.loaded(tmp_path, path=name, **given)[:] == {"prompt": ["wie"], "completion": ["schön"]}

    def test_csv_of_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "train.csv").write_text("text\nNA\n")
        (tmp_path / "d" / "test.csv").write_text("text\n007\n")
        assert self.loaded(tmp_path, path="./d")["text"][:] == ["NA"]
        assert self.loaded(tmp_path, path="./d", split="test")["text"][:] == ["007"]

    def test_dates_and_mixed_values_of_json(self, tmp_path: Path) -> None:
        values = [{"on": "2024-03-01", "answer": "3"}, {"on": "2024-03-02", "answer": 3}]
        (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, values)))
        assert list(self.loaded(tmp_path, path="d.jsonl")) == values

    def test_numbers_with_nulls_of_json(self, tmp_path: Path) -> None:
        (tmp_path / "d.jsonl").write_text('{"n": 3}\n{"n": null}\n')
        assert [(value, type(value)) for value in self.loaded(tmp_path, path="d.jsonl")["n"]] == [
            (3, int),
            (None, type(None)),
        ]

    def test_rows_under_a_key(self, tmp_path: Path) -> None:
        (tmp_path / "d.json").write_text(json.dumps({"version": "1", "data": [{"text": "007"}]}))
        assert self.loaded(tmp_path, path="d.json")["text"][:] == ["007"]

    @pytest.mark.parametrize("name", ["[clean] rows.jsonl", "rows (1).jsonl", "a?.jsonl", "dates [x].jsonl"])
    def test_a_name_that_looks_like_a_pattern(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(json.dumps({"text": "2024-01-01" if "dates" in name else "a"}))
        (tmp_path / "ab.jsonl").write_text('{"text": "b"}')
        assert self.loaded(tmp_path, path=name)["text"][:] == ["2024-01-01" if "dates" in name else "a"]

    @pytest.mark.parametrize("name", ["d.jsonl.gz", "d.json.gz", "d.csv.gz", "d.jsonl.xz", "d.jsonl.bz2"])
    def test_compressed_files(self, name: str, tmp_path: Path) -> None:
        text = "text\n007\n" if ".csv" in name else '{"text": "007"}\n'
        openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
        with openers[Path(name).suffix](tmp_path / name, "wt") as file:
            file.write(text)
        assert self.loaded(tmp_path, path=name)["text"][:] == ["007"]

    def test_what_save_to_disk_has_written(self, tmp_path: Path) -> None:
        from datasets import Dataset, DatasetDict

        saved = Dataset.from_list([{"text": "007"}])
        saved.save_to_disk(tmp_path / "one")
        DatasetDict({"train": saved, "held": saved}).save_to_disk(tmp_path / "two")
        assert self.loaded(tmp_path, path="./one")["text"][:] == ["007"]
        assert self.loaded(tmp_path, path="./two")["text"][:] == ["007"]
        assert self.loaded(tmp_path, path="./two", split="held")["text"][:] == ["007"]

    def test_several_files_of_other_columns(self, tmp_path: Path) -> None:
        (tmp_path / "a.jsonl").write_text('{"text": "a"}')
        (tmp_path / "b1.jsonl").write_text('{"text": "b", "more": "x"}')
        rows = self.loaded(tmp_path, path=["a.jsonl", "b*.jsonl"])
        assert list(rows) == [{"text": "a", "more": None}, {"text": "b", "more": "x"}]

    def test_the_first_rows_of_a_stream(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "train.jsonl").write_text("".join(f'{{"text": "{i}"}}\n' for i in range(9)))
        assert self.loaded(tmp_path, path="./d", streaming=True, limit=2)["text"][:] == ["0", "1"]


@pytest.mark.parametrize(
    ("file", "content", "params", "message"),
    [
        (
            "d.csv",
            "a\nö".encode("cp1252"),
            {},
            "encoding: 'd.csv', line 2: byte 0xf6 (in cp1252: 'ö') is not utf-8; set",
        ),
        ("d.csv", b"a\n", {"encoding": "latin-99"}, "encoding: there is no encoding 'latin-99'"),
        ("d.csv", b"a\n", {"types": {"b": "bool"}}, "types: there is no column 'b'."),
        ("d.csv", b"a\n", {"types": {"a": "boole"}}, "types: 'a' must be one of string, bool, int64, float64, got"),
        ("d.json", b'{"a": {"0": 1}}', {}, "path: 'd.json' is one object of columns, as pandas writes it, not rows;"),
        (
            "d.json",
            b'{"a": [{"b": 1}], "c": [{"b": 1}]}',
            {},
            "field: is not set, but rows of 'd.json' lie under 'a' and",
        ),
        ("d.json", b'[{"b": 1}]', {"field": "x"}, "field: 'd.json' has no rows under 'x'"),
        ("d.jsonl", b'{"b": "2024-01-01"}', {"split": "train[:5]"}, "split: must be 'train' for this file"),
        ("d.jsonl", b'{"b": 1}', {"streaming": True}, "streaming: is for complete splits of Hub datasets and folders"),
        ("d.jsonl", b'{"b": 1}', {"path": ["d.jsonl", "e.jsonl"]}, "path: the file 'e.jsonl' does not exist"),
        ("d.jsonl", b'{"b": 1}', {"path": []}, "path: is empty"),
        ("d.jsonl", b'{"b": 1}', {"path": ["d.jsonl", "model"]}, "path: must be a list of files of one format"),
    ],
)
def test_what_a_file_tells_before_it_is_loaded(
    file: str, content: bytes, params: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_bytes(content)
    (tmp_path / "model").mkdir()
    found = problems(draw(rows=node(LoadDataset, **{"path": file, **params})), tmp_path)
    assert [wrong for wrong in found if wrong.startswith(f"Load Dataset 'rows' > {message}")], found


@pytest.mark.parametrize("name", ["a.jsonl", "b/c.jsonl"])
def test_any_byte_of_any_file_counts(name: str, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for place in ("a.jsonl", "b/c.jsonl"):
        (tmp_path / place).write_text('{"text": "a"}\n')
    drawn = program(draw(rows=node(LoadDataset, path=["a.jsonl", "b/*.jsonl"])), tmp_path)
    before = keys_of(drawn)["rows"].digest
    assert keys_of(drawn)["rows"].digest == before
    (tmp_path / name).write_text('{"text": "b"}\n')
    assert keys_of(drawn)["rows"].digest != before
