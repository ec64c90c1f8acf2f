"""A project as a file: its title, its folder, and whether it was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from qtpy.QtGui import QUndoCommand, QUndoStack

from ryven_llm_nodes.gui.state.document import Document


def test_a_new_project_is_looked_up_in_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = Document(None, tuple)
    document.place(None)
    monkeypatch.chdir(tmp_path)
    assert (document.folder, document.source, document.title) == (Path.cwd(), "", "unsaved")


def test_a_file_has_its_own_folder_unless_it_is_told_another(tmp_path: Path) -> None:
    document, path = Document(None, tuple), tmp_path / "flow.json"
    document.place(path)
    assert (document.folder, document.source, document.title) == (tmp_path.resolve(), "flow.json", "flow.json")
    document.place(path, tmp_path / "data")
    assert document.folder == tmp_path / "data"


def test_a_copy_says_so(tmp_path: Path) -> None:
    document = Document(None, tuple)
    document.place(None, tmp_path, tmp_path / "script.py")
    assert (document.path, document.folder, document.title) == (None, tmp_path, "copy of script.py")


def test_it_is_modified_until_undo_has_taken_everything_back(qtbot: object) -> None:
    stack = QUndoStack()
    document, touched = Document(None, lambda: [stack]), []
    document.touched.connect(lambda: touched.append(document.modified))
    document.watch(stack)
    stack.push(QUndoCommand("one"))
    assert document.modified
    stack.undo()
    assert not document.modified
    assert touched == [True, False]
    document.change()
    assert document.modified
    assert touched == [True, False, True]


def test_another_program_is_noticed(tmp_path: Path) -> None:
    document, path = Document(None, tuple), tmp_path / "flow.json"
    path.write_text("mine")
    document.place(path)
    assert not document.is_changed_elsewhere(path)
    path.write_text("somebody else's")
    assert document.is_changed_elsewhere(path)
    assert not document.is_changed_elsewhere(tmp_path / "other.json"), "that is no file of this project"
    path.unlink()
    assert not document.is_changed_elsewhere(path), "where nothing is, nothing can be lost"
