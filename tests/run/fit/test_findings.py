"""Stages that do not fit, as a check reports them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.errors import Problem, Remedy
from ryven_llm_nodes.run.examine.check import checked
from ryven_llm_nodes.run.fit import findings
from ryven_llm_nodes.run.fit.device import Device


def found(drawn: Any, root: Path, memory: int, monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    monkeypatch.setattr(findings, "known_device", lambda: Device("main memory", memory))
    return [one for one in checked(flows.program(drawn, root), root / "out") if "peak" in one.message]


def test_a_stage_that_does_not_fit_is_told_with_what_it_takes(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = found(flows.alone("sft"), workspace, 5_000_000, monkeypatch)
    assert (one.weight, one.node) == ("warning", "SFT 'sft'")
    assert one.message.startswith("needs about ")
    for part in ("(weights 149 kB, gradients 149 kB, optimizer 298 kB, activations ", "the main memory has 5.0 MB."):
        assert part in one.message
    assert one.message.endswith("use a smaller model, or shorter rows.")
    assert one.remedy is None


def test_the_remedy_is_a_setting_with_which_it_fits(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = flows.alone("sft", per_device_train_batch_size=16)
    (large,) = found(drawn, workspace, 5_000_000, monkeypatch)
    needed = float(large.message.split()[2]) * 1e6
    (one,) = found(drawn, workspace, int(needed - 900_000), monkeypatch)
    assert one.remedy in (
        Remedy("gradient_checkpointing", True, "sft"),
        Remedy("per_device_train_batch_size", 1, "sft"),
    )
    assert "it would need about" in one.message


@pytest.mark.parametrize("method", flows.METHODS)
def test_a_stage_that_fits_is_no_finding(method: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(flows.alone(method), workspace, 10_000_000_000, monkeypatch) == []


def test_an_estimate_that_cannot_be_made_is_a_note(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(work: object) -> None:
        raise ValueError("no such kernel")

    monkeypatch.setattr(findings, "estimate", fails)
    monkeypatch.setattr(findings, "known_device", lambda: Device("main memory", 1000))
    notes = [str(one) for one in checked(flows.program(flows.alone("sft"), workspace), workspace / "out")]
    assert "SFT 'sft': its memory cannot be estimated, and may be too little: ValueError: no such kernel." in notes
