"""The memory of this machine."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from ryven_llm_nodes.run.fit import device as devices

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="the memory of a GPU is looked at then")


@without_gpu
@pytest.mark.parametrize(("text", "size"), [("max\n", psutil.virtual_memory().total), ("5000000\n", 5_000_000)])
def test_a_container_may_have_less(text: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(devices, "LIMITS", (tmp_path / "memory.max", tmp_path / "none"))
    assert devices.device() == devices.Device("main memory", size)
