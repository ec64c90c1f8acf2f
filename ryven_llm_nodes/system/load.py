"""How busy this machine is."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """The share of the processor's time since the last call, from 0 to 1, and main memory in bytes.

    ``gpu`` is the memory of the GPU that torch uses, used and total, once torch is loaded and has one.
    """

    processor: float
    used: int
    total: int
    gpu: tuple[int, int] | None = None


def load_now() -> Load:
    """The load of this machine; takes no second, and loads nothing else."""
    import psutil

    memory = psutil.virtual_memory()
    return Load(psutil.cpu_percent(None) / 100, memory.total - memory.available, memory.total, _gpu())


def _gpu() -> tuple[int, int] | None:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # a module that is still being imported has none
    if cuda is None or not getattr(cuda, "is_initialized", bool)():
        return None
    free, total = cuda.mem_get_info()
    return total - free, total
