"""The curves and samples that a stage has before it trains: all if it is reused, the beginning if it is resumed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from ryven_llm_nodes.run.events import Completions, Event, Listener, Progress, RunStarted, StageReused
from ryven_llm_nodes.run.records.history import PastRun, Points, past_run
from ryven_llm_nodes.run.store.kept import kept_in


@dataclass(frozen=True)
class KeptCurves(Event):
    """What a stage had logged and sampled before this run, after ``done`` of ``total`` optimizer steps."""

    curves: Mapping[str, Points] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    completions: tuple[Completions, ...] = ()


MOST_SAMPLES: Final = 20_000


class WithKeptCurves:
    """Passes the events of one run on to ``listen``, with :class:`KeptCurves` if a stage has some.

    They are read here, in the thread of the run, from the record of this run, which receives every event first.
    """

    def __init__(self, listen: Listener) -> None:
        self.listen = listen
        self._output_dir, self._record_folder = Path(), ""
        self._begun: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Handles an event."""
        self.listen(event)
        if isinstance(event, RunStarted):
            self._output_dir, self._record_folder = Path(event.output_dir), event.record
        elif isinstance(event, StageReused):
            self._tell_reused(event.step)
        elif isinstance(event, Progress) and event.step not in self._begun:
            self._begun.add(event.step)
            if event.done and (record := self._record()):
                self.listen(_kept(record, event.step, event.done, event.total))

    def _tell_reused(self, step: str) -> None:
        record = self._record()
        if record and (curves := record.metrics(step)):
            last = max(points[-1][0] for points in curves.values())
            kept = kept_in(self._output_dir / step)
            self.listen(_kept(record, step, *((kept and kept.ended_at) or (last, last))))

    def _record(self) -> PastRun | None:
        return past_run(Path(self._record_folder)) if self._record_folder else None


def _kept(record: PastRun, step: str, done: int, total: int) -> KeptCurves:
    return KeptCurves(step, record.metrics(step), done, total, tuple(_completions(record, step)))


def _completions(record: PastRun, step: str) -> Iterator[Completions]:
    """The samples of a stage as they were reported, the latest."""
    lines = deque(record.completions(step), MOST_SAMPLES)
    for (done, reward), samples in groupby(lines, key=lambda line: (line.get("step"), line.get("reward"))):
        rows = [(str(s.get("prompt")), str(s.get("completion")), s.get("score")) for s in samples]
        yield Completions(step, done, str(reward), *zip(*rows, strict=True))
