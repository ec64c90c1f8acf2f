"""Gradient accumulation that follows from a global batch and from the number of processes."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.runtime.batches import with_global_batch


def accumulated(rows: int, processes: int, monkeypatch: pytest.MonkeyPatch, **fields: int) -> int:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    made = with_global_batch({"per_device_train_batch_size": 4, "seed": 7, **fields}, rows)
    assert made["seed"] == 7
    return made["gradient_accumulation_steps"]


def test_processes_share_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [accumulated(64, processes, monkeypatch) for processes in (1, 2, 16)] == [16, 8, 1]
    assert accumulated(64, 2, monkeypatch, per_device_train_batch_size=8) == 4
    monkeypatch.delenv("WORLD_SIZE")
    assert with_global_batch({"per_device_train_batch_size": 4}, 8)["gradient_accumulation_steps"] == 2


def test_what_is_said_on_the_command_line_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert accumulated(64, 2, monkeypatch, gradient_accumulation_steps=3) == 3


def test_rows_that_processes_cannot_share_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="64 rows per optimizer step cannot be shared by 3 processes that take 4 rows"):
        accumulated(64, 3, monkeypatch)
