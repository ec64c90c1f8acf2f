"""GPUs and clusters of them, as their makers and published trainings describe them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ryven_llm_nodes.errors import UsageError, shown, suggestion

PER_MACHINE: Final = 8
"""GPUs of one machine, which are linked with each other; machines are linked by a network."""


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU: bytes, bfloat16 operations a second without sparsity, and bytes a second.

    ``bandwidth`` is that of its memory, ``link`` that to another GPU of its machine, ``network`` that to another
    machine. ``utilization`` is the share of ``flops`` that trainings reach, recomputed activations included;
    ``price`` is in USD per hour, an assumption that differs between providers: `--price` replaces it.
    """

    name: str
    memory: float
    flops: float
    bandwidth: float
    link: float
    network: float
    utilization: float
    price: float


GPUS: Final[Mapping[str, Gpu]] = {
    gpu.name: gpu
    for gpu in (
        Gpu("A100-40GB", 40e9, 312e12, 1.555e12, 300e9, 25e9, 0.60, 1.5),
        Gpu("A100", 80e9, 312e12, 2.039e12, 300e9, 25e9, 0.60, 2.0),
        Gpu("H100", 80e9, 989e12, 3.35e12, 450e9, 50e9, 0.40, 3.0),
        Gpu("H200", 141e9, 989e12, 4.8e12, 450e9, 50e9, 0.40, 3.8),
        Gpu("B200", 180e9, 2250e12, 7.7e12, 900e9, 50e9, 0.40, 6.0),
    )
}
"""Data sheets of NVIDIA; ``utilization`` from torchtitan (docs/performance.md: 61 % of an A100 without recomputing,
33 to 39 % of an H100 with some), that of B200 is assumed to be that of H100."""


@dataclass(frozen=True)
class Cluster:
    """A number of equal GPUs, eight on each machine."""

    gpu: Gpu
    count: int

    @property
    def machines(self) -> int:
        """The machines that hold them."""
        return -(-self.count // PER_MACHINE)

    @property
    def link(self) -> float:
        """Bytes a second between any two of them."""
        return self.gpu.link if self.machines == 1 else self.gpu.network


def cluster(text: str) -> Cluster:
    """``8xH100`` as a cluster. Raises UsageError."""
    found = re.fullmatch(r"\s*(?:(\d+)\s*[x*])?\s*([\w-]+)\s*", text)
    names = {name.lower(): gpu for name, gpu in GPUS.items()}
    if found is None or found[2].lower() not in names or int(found[1] or 1) < 1:
        near = suggestion(found[2], list(GPUS)) if found else ""
        raise UsageError(f"--gpus {shown(text)}: write NUMBERxNAME, such as 8xH100.{near} GPUs: {', '.join(GPUS)}.")
    count = int(found[1] or 1)
    if count > PER_MACHINE and count % PER_MACHINE:
        raise UsageError(f"--gpus {shown(text)}: more than {PER_MACHINE} GPUs fill machines of {PER_MACHINE} each.")
    return Cluster(names[found[2].lower()], count)
