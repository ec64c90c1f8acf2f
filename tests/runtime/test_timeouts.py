"""The time that processes wait for each other is the one that a stage says, also if they have begun to communicate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from ryven_llm_nodes.runtime.timeouts import with_timeout


def test_processes_that_communicate_wait_as_long_as_a_stage_says(tmp_path: Path) -> None:
    fields = {"ddp_timeout": 7200, "seed": 1}
    assert with_timeout(fields) == fields
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        backend = distributed.group.WORLD._get_backend(torch.device("cpu"))
        assert backend.options._timeout != timedelta(hours=2)
        with_timeout(fields)
        assert backend.options._timeout == timedelta(hours=2)
    finally:
        distributed.destroy_process_group()
