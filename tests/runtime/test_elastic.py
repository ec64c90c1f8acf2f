"""Checkpoints that another number of processes has written; tests/run/test_processes.py resumes from some."""

from __future__ import annotations

from pathlib import Path

import pytest

from ryven_llm_nodes.runtime.elastic import share_random_state


def names(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("written", "processes", "expected"),
    [
        (["rng_state_0.pth", "rng_state_1.pth"], 1, {"rng_state.pth": "rng_state_0.pth"}),
        (["rng_state.pth"], 2, {"rng_state_0.pth": "rng_state.pth", "rng_state_1.pth": "rng_state.pth"}),
        (["rng_state_0.pth", "rng_state_1.pth"], 2, {name: name for name in ("rng_state_0.pth", "rng_state_1.pth")}),
        # what a crash in the middle leaves
        (["rng_state.pth", "rng_state_0.pth", "rng_state_1.pth"], 1, {"rng_state.pth": "rng_state.pth"}),
        ([], 2, {}),
    ],
)
def test_random_states_become_as_many_as_there_are_processes(
    written: list[str], processes: int, expected: dict[str, str], tmp_path: Path
) -> None:
    for name in written:
        (tmp_path / name).write_text(name)
    share_random_state(tmp_path, processes)
    assert names(tmp_path) == expected


@pytest.mark.parametrize("part", ["global_step2/shard.pt", "optimizer_0/.metadata"])
def test_a_checkpoint_in_parts_belongs_to_its_processes(part: str, tmp_path: Path) -> None:
    (tmp_path / part).parent.mkdir()
    for name in (part, "rng_state_0.pth", "rng_state_1.pth"):
        (tmp_path / name).write_text(name)
    share_random_state(tmp_path, 1)
    assert not (tmp_path / "rng_state.pth").exists()
