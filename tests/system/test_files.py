"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.system.files import write_whole


def test_folders_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c.py", "é\n")
    assert (tmp_path / "a" / "b" / "c.py").read_bytes() == b"\xc3\xa9\n"


def test_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "c.py", "1")
    write_whole(tmp_path / "c.py", "2")
    assert [file.name for file in tmp_path.iterdir()] == ["c.py"]
    assert (tmp_path / "c.py").read_text() == "2"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "new", "")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "run.py").touch()
    (tmp_path / "run.py").chmod(0o750)
    write_whole(tmp_path / "run.py", "")
    assert (tmp_path / "run.py").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("place", ["taken", "file/below", "x" * 300, "a\0b"])
def test_where_nothing_can_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match=r"cannot write .*; choose another place\."):
        write_whole(tmp_path / place, "text")
    assert sorted(os.listdir(tmp_path)) == ["file", "taken"]
    assert (tmp_path / "file").read_text() == "kept"


def test_what_was_there_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device; choose another place"):
        write_whole(tmp_path / "f", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("f", "old")]
