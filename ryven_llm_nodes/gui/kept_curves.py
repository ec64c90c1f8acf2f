"""The curves that a stage has before it trains: all of them where it is reused, the beginning where it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ryven_llm_nodes.run.events import Event, Listener, Progress, RunStarted, StageReused
from ryven_llm_nodes.run.history import Points, past_run
from ryven_llm_nodes.run.kept import kept_in
from ryven_llm_nodes.run.record import RECORDS


@dataclass(frozen=True)
class KeptCurves(Event):
    """What a stage had logged when this run met it, after ``done`` of ``total`` optimizer steps (0: not known)."""

    curves: Mapping[str, Points] = field(default_factory=dict)
    done: int = 0
    total: int = 0


class WithKeptCurves:
    """Passes the events of one run on to ``listen``, with :class:`KeptCurves` where a stage has some.

    They are read here, in the thread of the run, from the record of this run, which takes every event in before.
    """

    def __init__(self, listen: Listener) -> None:
        self.listen = listen
        self._output_dir = Path()
        self._begun: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        self.listen(event)
        if isinstance(event, RunStarted):
            self._output_dir = Path(event.output_dir)
        elif isinstance(event, StageReused):
            self._tell_reused(event.step)
        elif isinstance(event, Progress) and event.step not in self._begun:
            self._begun.add(event.step)
            if event.done:
                self.listen(KeptCurves(event.step, self._curves(event.step), event.done, event.total))

    def _tell_reused(self, step: str) -> None:
        if curves := self._curves(step):
            last = max(points[-1][0] for points in curves.values())
            kept = kept_in(self._output_dir / step)
            self.listen(KeptCurves(step, curves, *((kept and kept.ended_at) or (last, last))))

    def _curves(self, step: str) -> dict[str, Points]:
        # by its own time, not by its name, which is older than the one before when clocks are put back
        newest = max(self._output_dir.glob(f"{RECORDS}/*/"), key=lambda folder: folder.stat().st_ctime, default=None)
        record = past_run(newest) if newest else None
        return record.metrics(step) if record else {}
