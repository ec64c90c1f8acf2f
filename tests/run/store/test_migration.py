"""Folders of the version before the store: moved under their keys, whatever comes between; nothing is retrained."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from earlier import as_before_the_store

from ryven_llm_nodes.program import read_flow
from ryven_llm_nodes.run import Event, run_program
from ryven_llm_nodes.run.events import Log, Progress, StageReused
from ryven_llm_nodes.run.store import links, migration
from ryven_llm_nodes.run.store.kept import all_kept, kept_in
from ryven_llm_nodes.run.store.output import Output


@pytest.fixture(autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def before(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the version before has left of a chain of four."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("before")
    assert run_program(flows.program(flows.chain(), workspace), folder).error is None
    as_before_the_store(folder)
    return folder


@pytest.fixture
def out(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before, tmp_path / "out"))


def all_reused(out: Path, workspace: Path) -> list[str]:
    """What a run of the chain says, none of which trains."""
    events: list[Event] = []
    assert run_program(flows.program(flows.chain(), workspace), out, events.append).error is None
    assert not [event for event in events if isinstance(event, Progress)]
    assert [e.step for e in events if isinstance(e, StageReused)] == [*flows.METHODS, "final"]
    return [event.text for event in events if isinstance(event, Log)]


def weights(out: Path) -> dict[str, bytes]:
    return {name: (out / name / "model.safetensors").read_bytes() for name in flows.METHODS}


def test_the_builder_makes_what_that_version_made(before: Path) -> None:
    """As seen in a folder that it had made."""
    assert {path.name for path in before.iterdir()} == {*flows.METHODS, "final-model", "run-records", ".lock"}
    assert not any((before / name).is_symlink() for name in flows.METHODS)
    assert set(json.loads((before / "sft/stage.json").read_text())) == {"digest", "since", "parts", "records"}
    assert (before / "sft/finished").is_file()


def test_all_is_moved_and_nothing_trained(out: Path, workspace: Path) -> None:
    before, graph = weights(out), read_flow(out / "sft")
    lines = all_reused(out, workspace)
    said = f"dpo, grpo, ppo, sft: their folders lie in {out}/store from now on, with a link at the old place"
    assert [line for line in lines if "store" in line] == [said]
    assert {name for name, _ in links.names_in(out)} == set(flows.METHODS)
    assert weights(out) == before
    again = read_flow(out / "sft")
    assert (again.root, again.digest) == (graph.root, graph.digest), "the flow that it carries finds its data"
    carried = json.loads((out / "sft/flow.json").read_text())["paths from"]
    assert (out / "sft").resolve() / carried != carried, "by a path that moves with it"
    assert not [line for line in all_reused(out, workspace) if "store" in line]


class Killed(BaseException):
    """Comes at no point where anybody waits for it."""


POINTS: list[tuple[Any, str]] = [
    (migration, "write_record"),
    (migration, "write_project"),
    (migration, "await_name"),
    (migration.os, "rename"),
    (migration, "take_name"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "name"), POINTS, ids=[name for _, name in POINTS])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_killed_at_any_point_nothing_is_lost(
    count: int, module: Any, name: str, after: bool, out: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, root = weights(out), read_flow(out / "sft").root
    original: Callable[..., Any] = getattr(module, name)
    left = [count]

    def die(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not after:
            raise Killed
        result = original(*arguments, **options)
        if left[0] == 0:
            raise Killed
        return result

    with monkeypatch.context() as patched:
        patched.setattr(module, name, die)
        with pytest.raises(Killed):
            Output(out, print)
    Output(out, print)
    assert weights(out) == before
    assert {name for name, _ in links.names_in(out)} == set(flows.METHODS)
    assert all(kept.finished for kept in all_kept(out))
    assert read_flow(out / "sft").root == root
    assert not list(out.glob(".*.link"))


def test_one_that_was_stopped_goes_on(workspace: Path, tmp_path: Path) -> None:
    from ryven_llm_nodes.run import CancelToken

    saved = {"max_steps": 4, "save_strategy": "steps", "save_steps": 1}
    program, token = flows.program(flows.alone("sft", **saved), workspace), CancelToken()
    run_program(program, tmp_path, lambda e: token.cancel() if type(e) is Progress and e.done == 2 else None, token)
    as_before_the_store(tmp_path)
    events: list[Event] = []
    run_program(program, tmp_path, events.append)
    assert [event.done for event in events if isinstance(event, Progress)] == [2, 3, 4]


def test_a_link_of_the_users_to_another_disk(out: Path, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    os.rename(out / "sft", tmp_path / "big/sft")
    (out / "sft").symlink_to(tmp_path / "big/sft")
    all_reused(out, workspace)
    assert (out / "sft").resolve() == tmp_path / "big/sft"
    kept = next(kept for kept in all_kept(out) if kept.title == "sft")
    kept.delete()
    assert not (tmp_path / "big/sft").exists()
    assert not os.path.lexists(kept.folder)


def test_a_stage_that_was_called_store(before: Path, tmp_path: Path) -> None:
    shutil.copytree(before / "sft", tmp_path / "store")
    Output(tmp_path, print)
    (kept,) = all_kept(tmp_path)
    assert (kept.title, kept.state, kept.is_in_store) == ("store-before", "finished", True)


def test_what_is_in_the_store_already_is_not_written_over(out: Path, workspace: Path) -> None:
    """A backup that was put back, say."""
    all_reused(out, workspace)
    shutil.copytree(out / "sft", out / "backup")
    (out / "backup/model.safetensors").write_text("another")
    Output(out, print)
    assert kept_in(out / "backup") is not None
    assert not (out / "backup").is_symlink()
    all_reused(out, workspace)


def test_a_damaged_record_is_left_where_it_is(out: Path) -> None:
    (out / "sft/stage.json").write_text("{")
    Output(out, print)
    assert not (out / "sft").is_symlink()
    assert (out / "sft/model.safetensors").is_file()
