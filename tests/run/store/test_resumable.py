"""Where the next run would resume, as it is told before it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import flows
import pytest
from records import stopped_stage

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.store import resumable as module
from ryven_llm_nodes.run.store.keys import keys_of
from ryven_llm_nodes.run.store.output import Output
from ryven_llm_nodes.run.store.resumable import resumable


def program_of(data: Path, rate: float = 0.1, **params: object) -> Program:
    return flows.program(flows.alone("sft", learning_rate=rate, **params), data)


def seen(folder: Path) -> set[tuple[str, int]]:
    """Every file and its time."""
    return {(str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_killed_stage_can_be_resumed_where_a_run_resumes_it(data: Path, tmp_path: Path) -> None:
    program = program_of(data)
    stopped_stage(tmp_path, program, "sft", 403, 1500)
    before = seen(tmp_path)
    (found,) = resumable(program, tmp_path).values()
    assert (found.step, found.total) == (403, 1500)
    assert seen(tmp_path) == before, "looking changes nothing"
    assert Output(tmp_path, lambda text: None).decide("sft", keys_of(program)["sft"], False) == found


def test_a_stage_with_other_settings_begins_anew(data: Path, tmp_path: Path) -> None:
    stopped_stage(tmp_path, program_of(data), "sft", 403, 1500)
    assert resumable(program_of(data, rate=0.2), tmp_path) == {}


def test_a_stage_without_a_checkpoint_of_its_own_begins_anew(data: Path, tmp_path: Path) -> None:
    folder = stopped_stage(tmp_path, program_of(data), "sft", 403, 1500)
    (folder / "checkpoints/checkpoint-403/trainer_state.json").write_text("{}")  # a script has overwritten it
    assert resumable(program_of(data), tmp_path) == {}


def test_without_links_it_lies_under_its_name(data: Path, tmp_path: Path) -> None:
    folder = stopped_stage(tmp_path / "linked", program_of(data), "sft", 403, 1500)
    shutil.copytree(folder.resolve(), tmp_path / "plain/sft")
    (found,) = resumable(program_of(data), tmp_path / "plain").values()
    assert found.step == 403


def test_a_longer_training_resumes_from_the_shorter_one(data: Path, tmp_path: Path) -> None:
    stopped_stage(tmp_path, program_of(data, save_strategy="steps"), "sft", 300, 300)
    (found,) = resumable(program_of(data, save_strategy="steps", extra_steps=100), tmp_path).values()
    assert (found.step, found.total) == (300, 0), "the checkpoint does not say how long it is now"


def test_no_file_is_read_where_nothing_was_stopped(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stopped_stage(tmp_path, program_of(data), "sft", 403, 1500)
    (folder / "finished").touch()
    monkeypatch.setattr(module, "keys_of", lambda *_: pytest.fail("the files of the flow were read"))
    assert resumable(program_of(data), tmp_path) == {}
    assert resumable(program_of(data), tmp_path / "missing") == {}
