"""What is spread, and what a step takes, on numbers that can be checked by hand."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.run.planning.formulae import Step, memory_by_part, peak
from ryven_llm_nodes.run.planning.hardware import cluster

PARTS = {"weights": 80.0, "gradients": 40.0, "optimizer": 160.0, "activations": 8.0, "reference": 80.0}


def test_what_each_process_holds() -> None:
    assert memory_by_part(PARTS, "ddp", 8) == PARTS
    assert memory_by_part(PARTS, "zero2", 8) == PARTS | {"gradients": 5.0, "optimizer": 20.0}
    spread = {"weights": 10.0, "gradients": 5.0, "optimizer": 20.0, "activations": 8.0, "reference": 10.0}
    assert memory_by_part(PARTS, "fsdp2", 8) == spread
    assert peak(spread) == 53
    assert peak(spread | {"generation": 20.0}) == 60, "gradients and activations are not there at the same time"
    judged = memory_by_part({"reward model": 8.0}, "fsdp2", 8), memory_by_part({"reward model": 8.0}, "zero3", 8)
    assert judged == ({"reward model": 8.0}, {"reward model": 1.0})


def test_what_a_step_computes() -> None:
    one = cluster("1xA100")
    full = Step(1000, 1, 1e9, 0, 0).seconds("one", one)
    assert full == pytest.approx(1000 * 1e9 * 3 / (312e12 * 0.6))
    adapter = Step(1000, 1, 1e9, 0, 0, trained=0.0)
    assert adapter.seconds("one", one) == pytest.approx(full * 2 / 3)
    compared = Step(1000, 2, 1e9, 0, 0, frozen=1, recomputes=True)
    assert compared.seconds("one", one) == pytest.approx(full * 2 * 5 / 3)


def test_a_slow_network_and_generation_take_longer() -> None:
    step = Step(1, 4, 1, weights=1e9, gradients=1e9)
    assert step.seconds("fsdp2", cluster("16xH100")) == pytest.approx(15 / 16 * 4 * 3e9 / 50e9)
    assert step.seconds("ddp", cluster("16xH100")) == pytest.approx(15 / 16 * 2e9 / 50e9), "once for all batches"
    sampling = Step(1, 1, 1, weights=3.35e9, gradients=0, generated=100)
    assert sampling.seconds("ddp", cluster("8xH100")) == pytest.approx(0.1)
    assert sampling.seconds("fsdp2", cluster("8xH100")) > 0.5, "weights are gathered for every token"
