"""Earlier runs that are drawn over the curves of a flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.run.records.history import PastRun

MOST: Final = 8
"""Runs that can be told apart in one plot."""


@dataclass(frozen=True)
class LaidOver:
    """A run with the curves of its stages, read from its record."""

    run: PastRun
    stages: Mapping[str, StageRun]


def read_over(runs: Sequence[PastRun]) -> list[LaidOver]:
    """Reads the curves of ``runs``; for a thread."""
    return [LaidOver(run, {name: StageRun(name, metrics=run.metrics(name)) for name in run.stages}) for run in runs]


class Overlay:
    """At most :data:`MOST` runs; each keeps its slot, and so its looks, as long as it is there."""

    def __init__(self) -> None:
        self._slots: list[LaidOver | None] = [None] * MOST

    def __iter__(self) -> Iterator[tuple[int, LaidOver]]:
        return ((slot, one) for slot, one in enumerate(self._slots) if one is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def add(self, found: Sequence[LaidOver]) -> int:
        """Adds runs, or what they have logged since; returns how many found no slot."""
        left = 0
        for one in found:
            slot = self._slot_of(one)
            if slot is None:
                left += 1
            else:
                self._slots[slot] = one
        return left

    def _slot_of(self, wanted: LaidOver) -> int | None:
        """The slot that the run has already, else a free one."""
        own = next((slot for slot, one in self if one.run.folder == wanted.run.folder), None)
        return own if own is not None else next((slot for slot, one in enumerate(self._slots) if one is None), None)

    def remove(self, slot: int) -> None:
        """Takes a run away."""
        self._slots[slot] = None

    def clear(self) -> None:
        """Takes all runs away."""
        self._slots = [None] * MOST
