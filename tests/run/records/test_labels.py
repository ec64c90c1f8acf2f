"""The name and the note that a user gives to a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.records.labels import LABEL, LONGEST_NAME, Label, label_of, write_label


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_label(tmp_path, Label("  best\nof all ", "lower rate,\nsame data\n"))
    assert label_of(tmp_path) == Label("best of all", "lower rate,\nsame data")
    write_label(tmp_path, Label("é" * 200, ""))
    assert label_of(tmp_path) == Label("é" * LONGEST_NAME)
    assert [file.name for file in tmp_path.iterdir()] == [LABEL]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": 3, "note": null}', "\xff"])
def test_a_damaged_label_is_an_empty_one(text: str, tmp_path: Path) -> None:
    (tmp_path / LABEL).write_bytes(text.encode("latin-1"))
    assert label_of(tmp_path) == Label()


def test_a_label_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_label(tmp_path, Label("first"))
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(UsageError):
        write_label(tmp_path, Label("second"))
    assert label_of(tmp_path) == Label("first")
