"""The formulae of a plan next to published figures, within 25 %."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

from ryven_llm_nodes.run.planning.formulae import Step, forward_flops, memory_by_part, peak
from ryven_llm_nodes.run.planning.hardware import cluster

TOLERANCE: Final = 0.25


@dataclass(frozen=True)
class Llama:
    """A model: weights, layers, width."""

    weights: float
    layers: int
    width: int


SMALL, MIDDLE, LARGE = Llama(6.74e9, 32, 4096), Llama(13.02e9, 40, 5120), Llama(68.98e9, 80, 8192)
"""Llama 2 of 7, 13 and 70 billion weights (arXiv 2307.09288)."""
SMALL_3, LARGE_3 = Llama(8.03e9, 32, 4096), Llama(70.55e9, 80, 8192)
"""Llama 3 (arXiv 2407.21783)."""

TORCHTITAN: Final = "pytorch/torchtitan, docs/performance.md"
PAPER: Final = "Llama 2, arXiv 2307.09288, table 2: GPU hours for 2 T tokens on A100-80GB"
TOKENS: Final = 2e12
SPEEDS: Final = [
    (TORCHTITAN, MIDDLE, "64xA100", 4096, 2, False, 2162),
    (f"{TORCHTITAN}, selective op", MIDDLE, "64xA100", 4096, 2, False, 1904),
    (TORCHTITAN, LARGE, "64xA100", 4096, 2, True, 353),
    (f"{TORCHTITAN}, selective op", SMALL_3, "64xA100", 8192, 1, False, 2973),
    (TORCHTITAN, LARGE_3, "64xA100", 8192, 1, True, 331),
    (f"{TORCHTITAN}, FSDP, table 1", SMALL_3, "8xH100", 8192, 2, False, 5762),
    (f"{PAPER}: 184,320", SMALL, "64xA100", 4096, 4, True, TOKENS / 184_320 / 3600),
    (f"{PAPER}: 368,640", MIDDLE, "64xA100", 4096, 4, True, TOKENS / 368_640 / 3600),
    (f"{PAPER}: 1,720,320", LARGE, "64xA100", 4096, 4, True, TOKENS / 1_720_320 / 3600),
]
"""Source, model, GPUs, context, sequences on a GPU, whether activations are recomputed, tokens a second on each GPU.

The Llama 2 paper does not say how many GPUs there were, nor whether activations were recomputed.
"""


@pytest.mark.parametrize(("source", "model", "gpus", "context", "sequences", "recomputes", "published"), SPEEDS)
def test_tokens_per_second(
    source: str, model: Llama, gpus: str, context: int, sequences: int, recomputes: bool, published: float
) -> None:
    flops = forward_flops(model.weights, model.layers, model.width, context)
    sent = 2 * model.weights
    step = Step(context * sequences, 1, flops, sent, sent, recomputes=recomputes)
    found = context * sequences / step.seconds("fsdp2", cluster(gpus))
    assert found == pytest.approx(published, rel=TOLERANCE), source


ZERO: Final = 7.5e9
ADAM: Final = {"weights": 2 * ZERO, "gradients": 2 * ZERO, "optimizer": 12 * ZERO}


@pytest.mark.parametrize(("strategy", "published"), [("ddp", 120e9), ("zero2", 16.6e9), ("zero3", 1.9e9)])
def test_memory_of_zero(strategy: str, published: float) -> None:
    """ZeRO, arXiv 1910.02054, figure 1: 7.5 B weights, mixed precision with Adam, on 64 GPUs."""
    assert peak(memory_by_part(ADAM, strategy, 64)) == pytest.approx(published, rel=0.02)


def test_communication_of_zero() -> None:
    """The same, section 7: as much as data parallelism for stage 2, and 1.5 times as much for stage 3."""
    step = Step(1, 1, 1, weights=2 * ZERO, gradients=2 * ZERO)
    base = step.traffic("ddp", 64)
    assert base == pytest.approx(4 * ZERO, rel=0.02)
    assert step.traffic("zero2", 64) == pytest.approx(base)
    assert step.traffic("zero3", 64) == pytest.approx(1.5 * base)
