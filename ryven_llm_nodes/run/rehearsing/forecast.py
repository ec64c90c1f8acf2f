"""Tells from the times of a rehearsal how long the real run takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.quantities import duration, size
from ryven_llm_nodes.run.events import Event, Listener, Progress, StageFinished, StageReused, StageStarted
from ryven_llm_nodes.run.rehearsing.plans import Planned


@dataclass
class Times:
    """When a stage began, had made each of its optimizer steps, and ended; in seconds."""

    began: float = 0.0
    ended: float | None = None
    steps: dict[int, float] = field(default_factory=dict)

    @property
    def before(self) -> float:
        """Until the first optimizer step begins: rows are prepared, models loaded."""
        return self.steps.get(0, self.began) - self.began

    @property
    def step(self) -> float:
        """Of one optimizer step, without the first one, in which much happens for the first time."""
        marks = sorted(self.steps)
        start, last = marks[1] if len(marks) > 2 else marks[0], marks[-1]
        return (self.steps[last] - self.steps[start]) / max(last - start, 1)

    @property
    def after(self) -> float:
        """After the last optimizer step: an evaluation, if there is one, and saving."""
        return (self.ended or 0.0) - self.steps[max(self.steps)]

    @property
    def all(self) -> float:
        """From the beginning to the end."""
        return (self.ended or self.began) - self.began


class Clock:
    """Passes events on, and notes the times of stages."""

    def __init__(self, listen: Listener, now: Callable[[], float] = time.monotonic) -> None:
        self.listen, self.now = listen, now
        self.times: dict[str, Times] = {}
        self._places: dict[Path, Times] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self.times[event.step] = Times(self.now())
        elif event.step in self.times and isinstance(event, Progress):
            self.times[event.step].steps.setdefault(event.done, self.now())
        elif event.step in self.times and isinstance(event, StageFinished):
            self.times[event.step].ended = self.now()
            self._places[Path(event.folder).resolve()] = self.times[event.step]
        elif isinstance(event, StageReused):  # in few steps it is the same as another stage, and takes as long
            self.times[event.step] = self._places.get(Path(event.folder).resolve(), Times())
        self.listen(event)


@dataclass(frozen=True)
class Forecast:
    """A stage of the real run. ``steps`` are its optimizer steps, ``step_seconds`` what one took in the rehearsal,
    ``factor`` how much more one takes with the real model; ``seconds`` is None where the steps are not known."""

    step: str
    label: str
    rehearsed_seconds: float
    step_seconds: float | None
    steps: int | None
    factor: float
    seconds: float | None
    peak: int | str | None

    def line(self, width: int) -> str:
        """As a line of a table."""
        each = f"{self.step_seconds:.2f} s" if self.step_seconds is not None else ""
        times = f"x {self.factor:.3g}" if self.factor != 1 else ""
        whole = "unknown" if self.seconds is None else duration(self.seconds)
        memory = size(self.peak) if isinstance(self.peak, int) else (self.peak or "")
        cells = (f"{duration(self.rehearsed_seconds):>10}", f"{each:>10}", f"{times:>9}", f"{self.steps or '':>8}")
        return f"{self.step:{width}}{''.join(cells)}{whole:>12}  {memory}".rstrip()


HEADINGS = f"{'rehearsed':>10}{'a step':>10}{'factor':>9}{'steps':>8}{'real run':>12}  memory"


def forecast(
    program: Program, real: Mapping[str, Planned], small: Mapping[str, Planned], clock: Clock
) -> list[Forecast]:
    """The real run of everything that has a time: stages, and nodes that make values, which are the same there."""
    found = []
    for name, times in clock.times.items():
        if step := program.graph.by_name.get(name):
            found.append(_of(step, real.get(name, Planned()), small.get(name, Planned()), times))
    return found


def _of(step: Step, real: Planned, small: Planned, times: Times) -> Forecast:
    factor = real.weights / small.weights if real.weights and small.weights else 1.0
    steps = real.work.steps if real.work else None
    each = times.step if len(times.steps) > 1 else None
    seconds = _seconds(real, small, times, factor)
    return Forecast(step.name, step.label, times.all, each, steps, factor, seconds, real.peak)


def _seconds(real: Planned, small: Planned, times: Times, factor: float) -> float | None:
    if len(times.steps) > 1:
        if real.work is None or real.work.steps is None:
            return None
        repeated = times.step * real.work.steps + times.after * max(real.work.evaluations, 1)
        return times.before + repeated * factor
    if real.work and small.work and real.work.rows and small.work.rows:
        return times.all * factor * real.work.rows / small.work.rows
    return times.all * factor


def plain(found: list[Forecast]) -> list[dict[str, Any]]:
    """As plain data."""
    return [asdict(one) for one in found]
