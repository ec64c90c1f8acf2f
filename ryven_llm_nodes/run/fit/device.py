"""The memory of the device that trains here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux tells how much a container may use."""


@dataclass(frozen=True)
class Device:
    """A GPU, or the main memory of this machine; ``size`` in bytes."""

    name: str
    size: int


def device() -> Device:
    """The first GPU, or where there is none the main memory, as far as this process may use it."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return Device(torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory)
    return Device("main memory", min([psutil.virtual_memory().total, *_limits()]))


def _limits() -> list[int]:
    texts = [file.read_text().strip() for file in LIMITS if file.is_file()]
    return [int(text) for text in texts if text.isdigit()]
