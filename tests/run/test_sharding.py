"""Exported scripts on two processes that share the weights by FSDP2: what is learned and saved is what DDP gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from rotation import turn
from sharded import CASES, SHARDED, WHOLE, digest, drive, logits, prepare, started


@pytest.fixture(scope="module")
def place(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the scripts read."""
    folder = tmp_path_factory.mktemp("sharding")
    prepare(folder, workspace / "model")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("method", "lora"), turn(CASES, 8))
def test_sharded_weights_are_trained_saved_and_resumed_like_whole_ones(
    method: str, lora: bool, place: Path, tmp_path: Path
) -> None:
    """A model, opened outside, gives the logits of DDP within 1e-4; one of two processes is killed: the same bits."""
    import torch

    case = (method, lora)
    whole, parts, killed = (tmp_path / name for name in ("whole", "parts", "killed"))
    launches = [
        started(place, whole, WHOLE, case),
        started(place, parts, SHARDED, case),
        started(place, killed, SHARDED, case, killed=True),
        started(place, killed, SHARDED, case, resume=True),
    ]
    ends = drive(place, launches)
    said = "".join(Path(f"{out}.log").read_text()[-3000:] for out in (whole, parts, killed))
    assert [end == 0 for end in ends] == [True, True, False, True], said
    expected = logits(whole / "stage")
    torch.testing.assert_close(logits(parts / "stage"), expected, atol=1e-4, rtol=0)
    assert (expected - logits(place / "model")).abs().max() > 1e-2, "the test needs weights that moved"
    assert digest(killed) == digest(parts)
    assert "pytorch_model_fsdp_0" in {file.name for file in (parts / "stage/checkpoints/checkpoint-3").iterdir()}
