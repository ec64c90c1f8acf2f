"""A project is whole whenever the process that saves it dies, and the version before is still there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.catalogue import SFT
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.host.saving import store_project
from ryven_llm_nodes.program.carried import ROOT
from ryven_llm_nodes.program.flow import read_project, root_of
from ryven_llm_nodes.program.project import Placement, project
from ryven_llm_nodes.system import processes

KILLS = 100
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither fork nor such permissions")


def version(title: str, nodes: int = 1) -> dict[str, Any]:
    """A project that says which one it is."""
    return project(title, [Placement(f"{title}{i}", SFT, {"seed": i}) for i in range(nodes)], [])


A, B, C = version("a", 300), version("b", 200), version("c")


def read(path: Path) -> Any:
    """A saved project; raises ValueError where it is not whole."""
    return json.loads(path.read_text(encoding="utf-8"))


def temporaries(folder: Path) -> list[str]:
    """What writers left that did not come to an end."""
    return [name for name in os.listdir(folder) if name.startswith(".ryven-llm.")]


# Killed while it saves

SERVER = """
import json, os, sys
from pathlib import Path
from ryven_llm_nodes.host.saving import store_project
folder = Path(sys.argv[1])
versions = [json.loads((folder / name).read_text()) for name in ("a", "b")]
for line in sys.stdin:
    child = os.fork()
    while child == 0:
        for i in (0, 1):
            store_project(versions[(os.getpid() + i) % 2], folder / "work" / "flow.json")
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


@pytest.fixture
def savers(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Starts, for each line, a process that saves A and B in turn, until it is killed."""
    (tmp_path / "work").mkdir()
    for name, content in (("a", A), ("b", B)):
        (tmp_path / name).write_text(json.dumps(content))
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as server:
        try:
            yield server
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # it, and one that still saves


def kill_one(server: subprocess.Popen[str], after: float) -> None:
    """Starts one that saves, and kills it with SIGKILL ``after`` that many seconds."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("go\n")
    server.stdin.flush()
    child = int(server.stdout.readline())
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    assert server.stdout.readline() == "gone\n"


@POSIX
def test_a_project_survives_a_hundred_kills_while_it_is_saved(savers: subprocess.Popen[str], tmp_path: Path) -> None:
    folder, moments = tmp_path / "work", random.Random(7)
    path, before = folder / "flow.json", folder / "flow.json.bak"
    found: list[str] = []
    interrupted = 0
    for _ in range(KILLS):
        kill_one(savers, moments.uniform(0, 0.04))
        for file in (path, before):
            if file.exists():
                content = read(file)
                assert content in (A, B)
                found.append(f"{file.name} {next(iter(content['flows']))}")
        left = temporaries(folder)
        interrupted += bool(left)
        assert len(left) <= 2  # of this one alone: the next one sweeps
    assert set(found) == {f"{name} {which}" for name in ("flow.json", "flow.json.bak") for which in "ab"}
    assert interrupted >= KILLS / 10, "hardly any was killed while it wrote"
    store_project(C, path)
    assert sorted(os.listdir(folder)) == ["flow.json", "flow.json.bak"]
    assert read(path) == C


# The version before


def test_the_version_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    store_project(A, path)
    assert os.listdir(tmp_path) == ["flow.json"]
    for now, then in ((B, A), (C, B)):
        store_project(now, path)
        assert (read(path), read(tmp_path / "flow.json.bak")) == (now, then)
    assert sorted(os.listdir(tmp_path)) == ["flow.json", "flow.json.bak"]


def test_saving_twice_does_not_cost_the_version_before(tmp_path: Path) -> None:
    for content in (A, B, B):
        store_project(content, tmp_path / "flow.json")
    assert read(tmp_path / "flow.json.bak") == A


def test_a_kill_between_the_two_renames_leaves_nothing(tmp_path: Path) -> None:
    """Both names are then one file, and a rename between them does nothing at all."""
    path = tmp_path / "flow.json"
    store_project(A, path)
    os.link(path, tmp_path / "flow.json.bak")
    store_project(B, path)
    assert (read(path), read(tmp_path / "flow.json.bak")) == (B, A)
    assert temporaries(tmp_path) == []


def test_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "flow.json"
    store_project(A, path)
    path.chmod(0o640)
    store_project(B, path)
    assert read(tmp_path / "flow.json.bak") == A
    assert (tmp_path / "flow.json.bak").stat().st_mode & 0o777 == 0o640
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_save_that_fails_changes_nothing(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flow.json"
    store_project(A, path)
    store_project(B, path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(UsageError, match="No space left on device; choose another place"):
        store_project(C, path)
    monkeypatch.undo()
    assert (read(path), read(tmp_path / "flow.json.bak")) == (B, A)
    assert temporaries(tmp_path) == []


# What the file is


@POSIX
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    link.mkdir()
    store_project(A, real / "flow.json")
    (link / "mine.json").symlink_to(Path("..", "real", "flow.json"))
    store_project(B, link / "mine.json")
    assert (link / "mine.json").is_symlink()
    assert (read(real / "flow.json"), read(real / "flow.json.bak")) == (B, A)
    assert os.listdir(link) == ["mine.json"]


@POSIX
def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    store_project(A, path)
    path.chmod(0o600)
    store_project(B, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "flow.json.bak").stat().st_mode & 0o777 == 0o600


def test_temporaries_of_the_living_stay(tmp_path: Path) -> None:
    mine = f".ryven-llm.{processes.host()}-{os.getpid()}.abc"
    dead = f".ryven-llm.{processes.host()}-{subprocess_that_ended()}.abc"
    others = ".ryven-llm.somewhere-else-7.abc"
    for name in (mine, dead, others):
        (tmp_path / name).touch()
    store_project(A, tmp_path / "flow.json")
    assert sorted(os.listdir(tmp_path)) == sorted([mine, others, "flow.json"])


def subprocess_that_ended() -> int:
    """The number of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


# Relative paths


def test_relative_paths_lead_to_the_same_files(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for place in (tmp_path / "data", tmp_path, tmp_path / "flows" / "old"):
        store_project(A, place / "flow.json", root)
        saved = read_project(place / "flow.json")
        assert root_of(saved, place / "flow.json") == root
        assert (ROOT in saved) == (place != root)
        assert not Path(saved.get(ROOT, "")).is_absolute()


def test_beside_the_file_nothing_is_said_about_paths(tmp_path: Path) -> None:
    store_project(A, tmp_path / "flow.json")
    assert read(tmp_path / "flow.json") == A
