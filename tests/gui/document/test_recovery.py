"""What comes back after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QListWidget, QPushButton

from ryven_llm_nodes.catalogue import SFT, LoadModel
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.gui.document import recovery_question
from ryven_llm_nodes.host.recovery import LeftBehind, RecoveryFile
from ryven_llm_nodes.host.saving import contents
from ryven_llm_nodes.program.flow import read_flow, read_project
from ryven_llm_nodes.program.project import project


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of this user's recovery files, which is empty."""
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "recovery"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers what is asked about recovery, in turn; holds the answers that are left."""
    answers: list[str] = []
    monkeypatch.setattr(recovery_question, "ask", lambda left: answers.pop(0))
    return answers


def files(folder: Path) -> list[Path]:
    """What is kept at this moment."""
    return sorted(folder.glob("*")) if folder.exists() else []


def flow_of(path: Path) -> Any:
    """The nodes of the one flow at ``path``, with their wires."""
    (data,) = read_project(path)["flows"].values()
    return [node["additional data"] for node in data["nodes"]], data["connections"]


def leave(folder: Path, content: Any, path: Path | None = None, origin: Path | None = None) -> Path:
    """A recovery file of an editor that is gone."""
    file = RecoveryFile()
    file.hold(content, path, path.parent if path else folder, origin)
    assert file.write()
    data = json.loads(file.path.read_text())
    data["recovery"]["born"] = "before"
    file.path.write_text(json.dumps(data))
    return file.path


EDITOR = """
import sys
from pathlib import Path
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QListWidget, QPushButton
from ryven_llm_nodes.catalogue import SFT
from ryven_llm_nodes.gui.state.edits import rename, set_value
from ryven_llm_nodes.gui import editor
shell = editor.start(Path(sys.argv[1])).llm_shell
shell.autosave.timer.setInterval(50)
def change():
    shell.palette.chosen.emit(SFT)
    node = shell.flows.current_flow().nodes[-1]
    rename(node, "ünsaved")
    set_value(node, "seed", 11)
    view = shell.flows.current_view()
    view.connect_node_ports__cmd(shell.flows.current_flow().nodes[0].outputs[0], node.inputs[0])
QTimer.singleShot(100, change)
editor.application().exec()
"""


def crash(path: Path, folder: Path) -> None:
    """Opens ``path`` in an editor, changes it, and ends it with SIGKILL once that is kept."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", EDITOR, str(path)], env=environment) as editor:
        try:
            end = time.monotonic() + 60
            while not any('"connected node"' in file.read_text() for file in whole(folder)):  # the last change
                assert editor.poll() is None
                assert time.monotonic() < end
                time.sleep(0.02)
        finally:
            editor.send_signal(signal.SIGKILL)


def whole(folder: Path) -> list[Path]:
    """The recovery files, and no temporary one."""
    return [file for file in files(folder) if file.suffix == ".json"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_a_crash_loses_nothing(start: Callable[..., Any], asked: list[str], kept: Path, tmp_path: Path) -> None:
    path = flows.save(flows.draw(base=flows.node(LoadModel, path="a/b")), tmp_path / "work" / "flow.json")
    before = path.read_bytes()
    crash(path, kept)
    (left,) = whole(kept)
    lost = flow_of(left)
    assert [node["name"] for node in lost[0]] == ["base", "ünsaved"]
    assert len(lost[1]) == 1
    assert path.read_bytes() == before

    asked += ["Recover"]
    shell = start(path)
    assert asked == []
    assert flow_of_window(shell) == lost
    assert shell.document.path == path
    assert shell.document.root == path.parent
    assert shell.document.modified
    assert shell.window.windowTitle().startswith("flow.json[*]")
    assert shell.window.isWindowModified()
    (own,) = files(kept)  # it survives the next crash, too
    assert own != left
    assert flow_of(own) == lost
    assert shell.saving.save()
    assert not shell.document.modified
    assert flow_of(path) == lost
    assert path.with_name("flow.json.bak").read_bytes() == before
    assert files(kept) == []


def flow_of_window(shell: Any) -> Any:
    """As :func:`flow_of`, of what a window shows."""
    (data,) = contents(shell.window)["flows"].values()
    return [node["additional data"] for node in data["nodes"]], data["connections"]


MINE = flows.draw(mine=flows.node(SFT, seed=5))
SAVED = flows.draw(saved=flows.node(SFT))


def test_undo_does_not_undo_a_recovery(start: Callable[..., Any], asked: list[str], kept: Path, tmp_path: Path) -> None:
    leave(kept, MINE, flows.save(SAVED, tmp_path / "flow.json"))
    asked += ["Recover"]
    shell = start(tmp_path / "flow.json")
    shell.palette.chosen.emit(SFT)
    shell.flows.current_view()._undo_stack.undo()
    assert shell.document.modified
    assert len(files(kept)) == 1


def test_not_now_asks_again(start: Callable[..., Any], asked: list[str], kept: Path, tmp_path: Path) -> None:
    path = flows.save(SAVED, tmp_path / "flow.json")
    left = leave(kept, MINE, path)
    asked += ["Not now", "Discard"]
    for remaining in ([left], []):
        shell = start(path)
        assert flow_of_window(shell) == flow_of(path)
        assert not shell.document.modified
        assert files(kept) == remaining
    start(path)  # and asks nothing
    assert asked == []


@pytest.mark.parametrize(
    ("button", "recovered", "remaining"), [("Recover", 1, 2), ("Discard All", 0, 0), ("Not now", 0, 3)]
)
def test_several_are_offered_in_one_question(
    button: str, recovered: int, remaining: int, qapp: Any, kept: Path, tmp_path: Path
) -> None:
    from ryven_llm_nodes.host.recovery import left_behind

    for name in ("one.json", "two.json", "three.json"):
        leave(kept, MINE, tmp_path / name)
    asked: list[list[str]] = []

    def press() -> None:
        dialog = qapp.activeModalWidget()
        (items,) = dialog.findChildren(QListWidget)
        asked.append([items.item(row).text().split(",")[0] for row in range(items.count())])
        items.setCurrentRow(asked[0].index("two.json"))
        by_name = {b.text().replace("&", ""): b for b in dialog.findChildren(QPushButton)}
        QTest.mouseClick(by_name[button], Qt.MouseButton.LeftButton)

    QTimer.singleShot(50, press)
    chosen = recovery_question.choose(left_behind())
    assert len(asked) == 1
    assert sorted(asked[0]) == ["one.json", "three.json", "two.json"]
    assert (chosen is not None) == bool(recovered)
    assert chosen is None or chosen.path == tmp_path / "two.json"
    assert len(files(kept)) == remaining + recovered


def test_of_another_flow_nothing_is_said(
    start: Callable[..., Any], asked: list[str], kept: Path, tmp_path: Path
) -> None:
    leave(kept, MINE, tmp_path / "other.json")
    shell = start(flows.save(SAVED, tmp_path / "flow.json"))
    assert flow_of_window(shell)[0][0]["name"] == "saved"


def test_a_flow_that_is_gone_comes_back(
    start: Callable[..., Any], asked: list[str], kept: Path, tmp_path: Path
) -> None:
    leave(kept, MINE, tmp_path / "flow.json")
    asked += ["Recover"]
    assert start(tmp_path / "flow.json").document.path == tmp_path / "flow.json"
    leave(kept, MINE, tmp_path / "flow.json")
    asked += ["Discard"]
    with pytest.raises(FlowError, match="does not exist"):
        start(tmp_path / "flow.json")


def test_a_new_project_is_still_without_a_name(
    start: Callable[..., Any], asked: list[str], kept: Path, tmp_path: Path
) -> None:
    leave(kept, MINE, None, tmp_path / "script.py")
    asked += ["Recover"]
    shell = start()
    assert shell.document.path is None
    assert shell.window.windowTitle().startswith("copy of script.py[*]")
    assert shell.document.root == kept.resolve()


def test_a_broken_file_does_not_hinder(
    start: Callable[..., Any], kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.mkdir(parents=True)
    (kept / "x.json").write_text("{")
    shell = start(None, None, project("p", [], []))
    assert shell.document.path is None
    assert [file.name for file in files(kept)] == ["x.json.broken"]
    assert "cannot recover" in capsys.readouterr().err


def test_what_needs_a_missing_package_does_not_hinder(
    start: Callable[..., Any], asked: list[str], kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = leave(kept, {**MINE, "required packages": [{"name": "nowhere", "dir": "/nowhere"}]})
    asked += ["Recover"]
    start()
    assert files(kept) == [left]
    assert "needs the packages nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(("button", "chosen"), [("Recover", True), ("Discard", False), ("Not now", False), ("", False)])
def test_the_question(button: str, chosen: bool, qapp: Any, kept: Path, tmp_path: Path) -> None:
    """A real dialog; the empty button is Escape."""
    from ryven_llm_nodes.host.recovery import left_behind

    path = flows.save(SAVED, tmp_path / "flow.json")
    file = leave(kept, MINE, path)
    (left,) = left_behind()
    texts: list[str] = []

    def press() -> None:
        box = qapp.activeModalWidget()
        texts.append(box.text())
        by_name = {b.text().replace("&", ""): b for b in box.buttons()}
        by_name[button].click() if button else box.reject()

    QTimer.singleShot(50, press)
    found = recovery_question.choose([left])
    assert isinstance(found, LeftBehind) == chosen
    assert texts == [left.question()]
    assert file.exists() == (button != "Discard")
    assert read_flow(path).steps[0].name == "saved"
