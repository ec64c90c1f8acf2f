"""Projects that are written without a mouse, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, alone, chain, draw, graph, node, save

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program import read_flow
from ryven_llm_nodes.program.project import Placement, project
from ryven_llm_nodes.system.files import write_whole


@pytest.mark.parametrize("drawn", [alone("sft"), chain(lora=True)], ids=["sft", "chain"])
def test_what_is_written_is_read(drawn: Any, tmp_path: Path) -> None:
    assert read_flow(save(drawn, tmp_path / "f.json")).digest == graph(drawn, tmp_path).digest


def test_text_that_is_no_unicode_survives(tmp_path: Path) -> None:
    drawn = draw(title="t\ud800", m=node(LoadModel, path="😀\udfff\u2028\0\"'\\"))
    found = read_flow(save(drawn, tmp_path / "f.json"))
    assert found.title == "t\ud800"
    assert found.by_name["m"].given["path"] == "😀\udfff\u2028\0\"'\\"
    assert "😀" in (tmp_path / "f.json").read_text(encoding="utf-8")


def test_ryven_opens_it(tmp_path: Path) -> None:
    from ryven_llm_nodes.host.session import open_project

    (flow,) = open_project(save(chain(lora=True), tmp_path / "f.json")).flows
    assert len(flow.nodes) == len(chain(lora=True)["flows"]["chain"]["nodes"])
    assert sum(len(outputs) for outputs in flow.graph_adj.values()) == len(
        chain(lora=True)["flows"]["chain"]["connections"]
    )


@pytest.mark.parametrize("wire", ["none.model -> sft.model", "base.none -> sft.model", "base.model -> sft.none"])
def test_a_wire_of_nothing(wire: str) -> None:
    with pytest.raises(KeyError):
        project("t", [Placement("base", LoadModel), Placement("sft", SFT)], [wire])


class TestWriteWhole:
    def test_folders_are_made(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "a" / "b" / "c.py", "é\n")
        assert (tmp_path / "a" / "b" / "c.py").read_bytes() == b"\xc3\xa9\n"

    def test_nothing_else_is_left(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "c.py", "1")
        write_whole(tmp_path / "c.py", "2")
        assert [file.name for file in tmp_path.iterdir()] == ["c.py"]
        assert (tmp_path / "c.py").read_text() == "2"

    def test_permissions_are_those_of_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain").touch()
        write_whole(tmp_path / "new", "")
        assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_permissions_stay(self, tmp_path: Path) -> None:
        (tmp_path / "run.py").touch()
        (tmp_path / "run.py").chmod(0o750)
        write_whole(tmp_path / "run.py", "")
        assert (tmp_path / "run.py").stat().st_mode & 0o777 == 0o750

    @pytest.mark.parametrize("place", ["taken", "file/below", "x" * 300, "a\0b"])
    def test_where_nothing_can_be_written(self, place: str, tmp_path: Path) -> None:
        (tmp_path / "taken" / "inside").mkdir(parents=True)
        (tmp_path / "file").write_text("kept")
        with pytest.raises(UsageError, match=r"cannot write .*; choose another place\."):
            write_whole(tmp_path / place, "text")
        assert sorted(os.listdir(tmp_path)) == ["file", "taken"]
        assert (tmp_path / "file").read_text() == "kept"

    def test_what_was_there_stays_when_writing_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "f").write_text("old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="No space left on device; choose another place"):
            write_whole(tmp_path / "f", "new")
        assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("f", "old")]


def test_a_project_is_json_with_names_as_they_are(tmp_path: Path) -> None:
    text = save(draw(title="Ü", Ä=BASE), tmp_path / "f.json").read_text(encoding="utf-8")
    assert '"Ü"' in text
    assert json.loads(text)["flows"]["Ü"]["nodes"][0]["additional data"]["name"] == "Ä"
