"""What is left of an editor that ended without a word. No window is made here."""

from __future__ import annotations

import base64
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import SFT
from ryven_llm_nodes.host import recovery
from ryven_llm_nodes.host.opening import open_file
from ryven_llm_nodes.host.recovery import RecoveryFile, left_behind

FLOW = flows.draw(sft=flows.node(SFT, seed=3))


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of this user's that is empty."""
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def keep(content: Any = FLOW, path: Path | None = None, root: Path | None = None, origin: Path | None = None) -> Path:
    """The recovery file of a window of this process."""
    file = RecoveryFile()
    file.hold(content, path, root or Path.cwd(), origin)
    assert file.write()
    return file.path


def abandon(file: Path, **since: Any) -> Path:
    """Makes ``file`` that of a process that is gone."""
    project = json.loads(file.read_text())
    project["recovery"] |= {"born": "before", **since}
    file.write_text(json.dumps(project))
    return file


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    path, root = tmp_path / "flow.json", tmp_path / "data"
    file = abandon(keep(FLOW, path, root))
    (left,) = left_behind()
    assert (left.file, left.path, left.root, left.origin) == (file, path, root, None)
    opened = left.opened()
    assert opened.content["flows"] == FLOW["flows"]
    assert (opened.path, opened.root) == (path, root)
    assert abs(left.time.timestamp() - time.time()) < 60


def test_it_is_nobody_elses_business() -> None:
    file = keep()
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_an_editor_that_is_there_keeps_is_not_offered() -> None:
    keep()
    assert left_behind() == []


def test_a_number_that_was_given_to_another_process_is_not_taken_for_it() -> None:
    file = abandon(keep(), pid=os.getppid())
    assert [left.file for left in left_behind()] == [file]


def test_on_another_machine_silence_tells(tmp_path: Path) -> None:
    file = abandon(keep(), host="elsewhere", pid=os.getpid())
    assert left_behind() == []
    long_ago = time.time() - recovery.SILENT_SECONDS - 10
    os.utime(file, (long_ago, long_ago))
    assert [left.file for left in left_behind()] == [file]


def test_only_what_belongs_to_the_flow_is_offered(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("a.json")
    (tmp_path / "a.json").touch()
    for name in ("a.json", "b.json"):
        abandon(keep(path=tmp_path / name))
    abandon(keep(origin=tmp_path / "script.py"))
    abandon(keep())
    offered = {flow: len(left_behind(tmp_path / flow)) for flow in ("link.json", "script.py", "c.json")}
    assert offered == {"link.json": 1, "script.py": 1, "c.json": 0}
    assert len(left_behind()) == 4


def test_the_newest_comes_first(tmp_path: Path) -> None:
    for seconds in (5, 1, 9):
        abandon(keep(path=tmp_path / f"{seconds}.json"), time=1e9 + seconds)
    assert [left.path and left.path.stem for left in left_behind()] == ["9", "5", "1"]


def test_what_the_user_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    file = abandon(keep(path=path))
    (left,) = left_behind()
    clock = time.strftime("%H:%M", time.localtime(left.time.timestamp()))
    assert left.question() == f"The editor exited without saving flow.json: changes of {clock} can be recovered."
    assert left.warning() == ""
    path.touch()
    abandon(file, time=1e9)
    (left,) = left_behind()
    assert "changes of 2001-09-09" in left.question()
    assert left.warning().startswith("flow.json was saved after that, at ")
    abandon(file, path=None)
    assert "without saving a new project:" in left_behind()[0].question()
    abandon(file, origin="/models/sft")
    assert "without saving a copy of sft:" in left_behind()[0].question()


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("pwned",)


def hostile() -> Any:
    content = json.loads(json.dumps(FLOW))
    content["flows"]["flow"]["nodes"][0]["state data"] = base64.b64encode(pickle.dumps(Evil())).decode()
    return content


@pytest.mark.parametrize(
    "broken",
    [
        "", "[]", "{", json.dumps(FLOW), json.dumps({**FLOW, "recovery": 3}), json.dumps({**FLOW, "recovery": {}}),
        json.dumps({"flows": {}, "recovery": {}}),
        *(
            json.dumps({**FLOW, "recovery": {
                "path": None, "origin": None, "time": 1.0, "host": "x", "pid": 1, "born": "", **wrong
            }})
            for wrong in (
                {"path": 3}, {"path": "a\0b"}, {"time": 1e300}, {"time": "noon"}, {"time": None}, {"origin": {}}
            )
        ),
    ],
)  # fmt: skip
def test_a_broken_file_is_set_aside(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    good = abandon(keep())
    bad = good.with_name("bad.json")
    bad.write_text(broken)
    os.utime(bad, (1, 1))
    assert [left.file for left in left_behind()] == [good]
    assert bad.with_name("bad.json.broken").read_text() == broken
    said = capsys.readouterr().err
    assert said.startswith(f"cannot recover {bad}: ")
    assert said.count("\n") == 1
    assert len(left_behind()) == 1
    assert capsys.readouterr().err == ""


def test_a_hostile_file_is_set_aside_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = abandon(keep(hostile()))
    assert left_behind() == []
    assert "holds a pickle that would run code" in capsys.readouterr().err
    assert file.with_name(f"{file.name}.broken").exists()
    assert not Path("pwned").exists()


def test_what_is_not_wanted_any_more_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk: the project is saved while its recovery file is being written, or waits for that."""
    free, file = threading.Event(), RecoveryFile()
    write = recovery.write_whole
    monkeypatch.setattr(recovery, "write_whole", lambda *a, **k: (free.wait(10), write(*a, **k)))
    file.hold(FLOW, None, Path.cwd(), None)
    file.write_soon()
    time.sleep(0.05)
    file.hold(FLOW, None, Path.cwd(), None)
    file.write_soon()
    removing = threading.Thread(target=file.remove)
    removing.start()
    time.sleep(0.05)
    free.set()
    removing.join(10)
    time.sleep(0.1)
    assert list(file.path.parent.iterdir()) == []


def test_what_cannot_be_kept_is_told(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    said: list[str] = []
    state.write_text("in the way")
    file = RecoveryFile(said.append)
    file.hold(FLOW, None, Path.cwd(), None)
    file.write_soon()
    assert not file.write()
    assert [line.startswith("✗ the recovery file cannot be written: ") for line in said] == [True]
    assert left_behind() == []


def test_opened_by_hand_it_is_a_copy_that_finds_its_files(tmp_path: Path) -> None:
    opened = open_file(keep(path=tmp_path / "flow.json", root=tmp_path / "data"))
    assert (opened.path, opened.root) == (None, tmp_path / "data")


def test_what_was_killed_while_it_wrote_is_swept(state: Path) -> None:
    keep()
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    left = state / "recovery" / f".ryven-llm.{recovery.host()}-{gone.pid}.abc"
    left.touch()
    left_behind()
    assert not left.exists()
