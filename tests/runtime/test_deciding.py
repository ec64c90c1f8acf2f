"""Which checkpoint several processes resume from: complete in all of its parts, and of as many processes."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp

from ryven_llm_nodes.runtime.deciding import is_finished, newest_checkpoint


def checkpoint(folder: Path, step: int, processes: int = 1) -> Path:
    """One whose model was written in parts."""
    made = folder / f"checkpoint-{step}"
    state = {"model": {"weight": torch.arange(4096.0)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one process
        dcp.save(state, storage_writer=dcp.FileSystemWriter(made / "pytorch_model_fsdp_0"), no_dist=True)
    (made / "trainer_state.json").write_text("{}")
    for rank in range(processes if processes > 1 else 0):
        torch.save({}, made / f"rng_state_{rank}.pth")
    return made


def test_the_newest_complete_one_is_chosen(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    first, second = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2)
    assert newest_checkpoint(tmp_path) == str(second)
    (part,) = (second / "pytorch_model_fsdp_0").glob("*.distcp")
    part.write_bytes(part.read_bytes()[:-1])
    assert newest_checkpoint(tmp_path) == str(first), "a part is cut short"
    (first / "pytorch_model_fsdp_0/.metadata").unlink()
    assert newest_checkpoint(tmp_path) is None, "the list of parts is missing"


def test_parts_of_deepspeed_are_looked_at(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 1)
    (made / "global_step1").mkdir()
    torch.save({"weight": torch.zeros(4)}, made / "global_step1/zero_pp_rank_0_mp_rank_00_model_states.pt")
    assert newest_checkpoint(tmp_path) == str(made)
    (part,) = (made / "global_step1").iterdir()
    part.write_bytes(part.read_bytes()[:-30])
    assert newest_checkpoint(tmp_path) is None


def test_half_written_ones_are_removed(tmp_path: Path) -> None:
    (tmp_path / "unfinished/checkpoint-3").mkdir(parents=True)
    assert newest_checkpoint(tmp_path) is None
    assert not (tmp_path / "unfinished/checkpoint-3").exists()


def test_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 1, processes=4)
    with pytest.raises(ValueError, match=r"was written by 4 process\(es\), and here are 1: .* Resume with 4 as well"):
        newest_checkpoint(tmp_path)
    for file in made.glob("rng_state*"):
        file.unlink()
    torch.save({}, made / "rng_state.pth")
    assert newest_checkpoint(tmp_path) == str(made)


def test_a_finished_stage_is_found(tmp_path: Path) -> None:
    assert not is_finished(tmp_path)
    (tmp_path / "finished").touch()
    assert is_finished(tmp_path)
