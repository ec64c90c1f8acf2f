"""Load Model and Load Dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flows import draw, node, problems, program

from ryven_llm_nodes.catalogue import LoadDataset, LoadModel
from ryven_llm_nodes.catalogue.values import DatasetValue, ModelValue


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
    @pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "parquet"])
    def test_local_file(self, suffix: str, tmp_path: Path) -> None:
        (tmp_path / f"d.{suffix}").touch()
        kind = "json" if suffix.startswith("json") else suffix
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
            ("./folder", "'./folder' does not exist; give a .jsonl, .json, .csv, .parquet file"),
            ("~nobody-here/x", "does not exist"),
            ("./" + "x" * 5000, "does not exist"),
            ("model/config.txt", "is not a data file; give one that ends in .jsonl, .json, .csv, .parquet."),
        ],
    )
    def test_what_is_not_there(self, path: str, message: str, data: Path) -> None:
        (data / "model" / "config.txt").touch()
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
