"""What can be opened, what it is saved to, and where its relative paths lead."""

from __future__ import annotations

import base64
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ryven_llm_nodes.catalogue import SFT, LoadDataset
from ryven_llm_nodes.catalogue.places import resolve
from ryven_llm_nodes.host import launch
from ryven_llm_nodes.program import build, read_flow
from ryven_llm_nodes.program.carried import COPY, ROOT, flow_comment
from ryven_llm_nodes.program.flow import read_project
from ryven_llm_nodes.program.project import project_of, write_project

DATA = flows.draw(rows=flows.node(LoadDataset, path="data.jsonl"))


def data_file(path: Path) -> Path:
    """The file that the flow at ``path`` reads."""
    graph = read_flow(path)
    return resolve(graph.steps[0].given["path"], graph.root)


def test_a_flow_that_is_saved_elsewhere_reads_the_same_files(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    path = flows.save(DATA, tmp_path / "old" / "flow.json")
    editor = open_editor(DATA, path)
    for place in (tmp_path / "new" / "flow.json", tmp_path / "flow.json", path):
        assert editor.shell.saving.save_to(place)
        assert editor.shell.document.root == path.parent
        assert data_file(place) == path.parent / "data.jsonl"
    assert ROOT not in read_project(path)
    again = open_editor(*opening(tmp_path / "new" / "flow.json"))
    again.shell.document.place(tmp_path / "new" / "flow.json", path.parent)
    assert again.shell.saving.save()
    assert data_file(tmp_path / "new" / "flow.json") == path.parent / "data.jsonl"


def opening(path: Path) -> tuple[Any, Path]:
    """The project at ``path``, and the place it is saved to."""
    return read_project(path), path


def test_a_new_flow_reads_what_it_read_before_it_was_saved(editor: Any, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("{}")
    editor.place(LoadDataset, path="data.jsonl")
    assert editor.shell.saving.save_to(tmp_path / "flows" / "flow.json")
    assert data_file(tmp_path / "flows" / "flow.json") == tmp_path / "data.jsonl"


# Opening


@pytest.fixture
def carried(tmp_path: Path) -> dict[str, Path]:
    """Copies of one flow: in a script, in the folder of a model, and as a file of their own."""
    path = flows.save(DATA, tmp_path / "flow.json")
    models = tmp_path / "models" / "sft"
    models.mkdir(parents=True)
    graph = read_flow(path)
    copy = project_of(graph, models)
    write_project(copy, models / "flow.json")
    script = tmp_path / "scripts" / "pipeline.py"
    script.parent.mkdir()
    script.write_text("print(1)\n\n" + flow_comment(project_of(graph, script.parent)) + "\n")
    return {"script": script, "folder": models, "file": models / "flow.json"}


@pytest.mark.parametrize(("kind", "name"), [("script", "pipeline.py"), ("folder", "sft"), ("file", "flow.json")])
def test_a_copy_opens_unsaved(
    kind: str,
    name: str,
    carried: dict[str, Path],
    start: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    shell = start(carried[kind])
    assert shell.document.path is None
    assert shell.document.root == tmp_path
    assert shell.window.windowTitle().startswith(f"copy of {name}[*]")
    assert not shell.document.modified
    assert not shell.pristine
    assert shell.runs.snapshot(shell.flows.current_flow()).graph.root == tmp_path

    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "new" / "mine.json"), ""))
    (tmp_path / "new").mkdir()
    assert shell.saving.save()
    assert shell.window.windowTitle().startswith("mine.json[*]")
    assert data_file(tmp_path / "new" / "mine.json") == tmp_path / "data.jsonl"
    assert COPY not in read_project(tmp_path / "new" / "mine.json")
    assert {path: path.read_bytes() for path in before} == before


def test_a_project_that_says_where_its_files_are(start: Callable[..., Any], tmp_path: Path) -> None:
    path = flows.save({**DATA, ROOT: "../data"}, tmp_path / "flows" / "flow.json")
    shell = start(path)
    assert (shell.document.path, shell.document.root) == (path, tmp_path / "data")
    assert shell.saving.save()
    assert data_file(path) == tmp_path / "data" / "data.jsonl"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were to start another process."""
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command))
    return commands


def choose(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers the dialog of File > Open."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(path), ""))


@pytest.mark.parametrize("kind", ["script", "folder", "file"])
def test_open_starts_another_editor(
    kind: str, editor: Any, carried: dict[str, Path], started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.place(SFT)
    choose(carried[kind], monkeypatch)
    action = editor.shell.actions["open"]
    assert action in editor.window.ui.menuFile.actions()
    assert action.shortcut().toString() == "Ctrl+O"
    action.trigger()
    assert started[0][-2:] == ["edit", str(carried[kind])]
    assert editor.window.isVisible()


def test_a_window_where_nothing_was_done_makes_room(
    editor: Any, carried: dict[str, Path], started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(carried["file"], monkeypatch)
    editor.shell.actions["open"].trigger()
    assert len(started) == 1
    assert not editor.window.isVisible()


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("nothing", "does not exist"),
        ("text", "is not JSON"),
        ("pickle", "holds a pickle that would run code"),
        ("package", "needs the packages evil"),
        ("script", "contains no flow"),
    ],
)
def test_open_refuses_what_cannot_be_opened(
    what: str, reason: str, editor: Any, started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads(json.dumps(DATA))
    if what == "pickle":
        state = base64.b64encode(pickle.dumps(Evil())).decode()
        next(iter(content["flows"].values()))["nodes"] *= 20
        next(iter(content["flows"].values()))["nodes"][0]["state data"] = state
    elif what == "package":
        content["required packages"] = [{"name": "evil", "dir": str(tmp_path)}]
    path = tmp_path / ("x.py" if what == "script" else "x.json")
    if what != "nothing":
        path.write_text("plain" if what in ("text", "script") else json.dumps(content))
    shown: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *a: shown.append(a[2]))
    choose(path, monkeypatch)
    editor.shell.actions["open"].trigger()
    assert reason in shown[0]
    assert shown[0].count("\n") <= 10
    assert str(path) in shown[0]
    assert started == []
    assert editor.window.isVisible()
    assert not Path("pwned").exists()


def test_cancelling_open_does_nothing(editor: Any, started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: ("", ""))
    editor.shell.actions["open"].trigger()
    assert started == []
    assert editor.window.isVisible()


def test_another_editor_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may be a stranger's: opening a flow runs nothing of his."""
    monkeypatch.chdir(tmp_path)
    for name in ("typer", "json", "ryven_llm_nodes", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("open('pwned', 'w')")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(sys, "path", [str(Path(build.__code__.co_filename).parents[2]), *filter(None, sys.path)])
    launch.start_another(tmp_path / "none.json")
    assert launch._others[-1].wait(60) == 2  # it says that there is no such file
    assert not (tmp_path / "pwned").exists()
