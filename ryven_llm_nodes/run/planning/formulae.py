"""The formulae of a plan: memory by strategy, communication, and time of a step.

* Memory: what each process holds of weights, gradients and optimizer, as in ZeRO (arXiv 1910.02054, section 5).
* Communication: an all-reduce sends twice what it reduces, a gather or a reduce-scatter once; so an optimizer step of
  Psi weights sends 2 Psi under DDP and ZeRO-2, and 3 Psi under ZeRO-3 and FSDP (the same, section 7).
* Operations: a forward pass of a token takes 2 N + 4 L d s, with N weights, L layers of width d, and a context of s
  tokens (PaLM, arXiv 2204.02311, appendix B); a backward pass takes as much for the activations, and again for weights
  that are trained; recomputing activations takes one more forward pass.
* Time: operations by what the GPU reaches, or the communication, whichever is longer, since they overlap. A token is
  generated in the time in which the GPU reads the weights, which is a lower bound; where weights are spread over
  processes, they are gathered for every token.

`tests/run/planning/test_published.py` compares them with published figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ryven_llm_nodes.run.planning.hardware import Cluster

ALL: Final = ("weights", "gradients", "optimizer", "reference")
SPREAD: Final[Mapping[str, tuple[str, ...]]] = {
    "one": (),
    "ddp": (),
    "zero2": ("gradients", "optimizer"),
    "fsdp2": ALL,
    "zero3": (*ALL, "reward model"),
}
"""The parts of which each process holds an equal share. TRL copies reward models to all processes under FSDP."""
TRANSIENT: Final = ("gradients", "activations")
SAMPLING: Final = "generation"
FITS: Final = 0.92
"""The share of a GPU's memory that can be used: the rest is taken by the driver, buffers of NCCL and fragments."""


def memory_by_part(parts: Mapping[str, float], strategy: str, processes: int) -> dict[str, float]:
    """The bytes of each part on one GPU, given those of a single process."""
    spread = SPREAD[strategy]
    return {name: size / processes if name in spread else float(size) for name, size in parts.items()}


def peak(parts: Mapping[str, float]) -> float:
    """The most bytes at one time: gradients and activations are not there while completions are generated."""
    step = sum(parts.get(name, 0) for name in TRANSIENT)
    held = sum(size for name, size in parts.items() if name not in (*TRANSIENT, SAMPLING))
    return held + max(step, parts.get(SAMPLING, 0))


def forward_flops(weights: float, layers: int, width: int, context: float) -> float:
    """The operations of a forward pass per token."""
    return 2 * weights + 4 * layers * width * context


@dataclass(frozen=True)
class Step:
    """One optimizer step on one GPU.

    ``tokens`` are those of one of ``batches`` forward passes; ``flops`` the operations of a forward pass per token;
    ``trained`` the share of the weights that learn; ``frozen`` how many other models read the tokens; ``weights`` and
    ``gradients`` what is communicated, in bytes; ``generated`` the tokens of each completion, all at the same time.
    """

    tokens: float
    batches: int
    flops: float
    weights: float
    gradients: float
    trained: float = 1.0
    frozen: float = 0.0
    recomputes: bool = False
    generated: int = 0

    def traffic(self, strategy: str, processes: int) -> float:
        """The bytes that a GPU sends, without those of generation."""
        share = (processes - 1) / processes
        if strategy in ("fsdp2", "zero3"):
            return share * self.batches * (2 * self.weights + self.gradients)
        if strategy == "zero2":
            return share * (self.batches * self.gradients + self.weights * self.trained)
        return share * 2 * self.gradients

    def seconds(self, strategy: str, cluster: Cluster) -> float:
        """How long it takes, its share of the generation of completions included."""
        passes = 2 + self.trained + self.frozen + (1 if self.recomputes else 0)
        computed = self.batches * self.tokens * self.flops * passes / (cluster.gpu.flops * cluster.gpu.utilization)
        sent = self.traffic(strategy, cluster.count) / cluster.link
        return max(computed, sent) + self._generation(strategy, cluster)

    def _generation(self, strategy: str, cluster: Cluster) -> float:
        read = self.weights / cluster.gpu.bandwidth
        is_spread = strategy in ("fsdp2", "zero3") and cluster.count > 1
        gathered = self.weights / cluster.link if is_spread else 0.0
        return self.generated * max(read, gathered)
