"""What an exported script prints, as the events of a run, so that a job looks like a run on any display."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ryven_llm_nodes.run.events import Event, Listener, Log, Metrics, Progress, StageFinished

BAR: Final = re.compile(r"\d+%\|[^|]*\| *(\d+)/(\d+) \[")
"""A progress bar of tqdm without a description, which is how transformers shows optimizer steps."""
OTHER_BAR: Final = re.compile(r"(\d+%\||(it/s|s/it|examples/s|\?it/s|B/s)\]|\d+ examples \[)")
"""Bars of loading, mapping and saving."""
METRICS: Final = re.compile(r"\{'.*\}\s*$")
"""The metrics of a step, as transformers prints them; the bar is drawn again below, with the step that they are of."""
PREFIX: Final = re.compile(r"^(?:\x1b\[[\d;]*m)*\([^()]*pid=\d+\)(?:\x1b\[[\d;]*m)* ?")
"""What SkyPilot puts before each line."""


class JobLog:
    """Turns the lines of one job into events for ``listen``.

    ``stages`` are the names of the stages in the order in which they run. A job that was requeued continues with the
    stage that is not finished. ``label`` is added to the names, where several jobs are shown at once.
    """

    def __init__(self, stages: Sequence[str], listen: Listener, label: str = "") -> None:
        self._left, self._listen, self._label = list(stages), listen, label
        self._done, self._total = 0, 0
        self._held: list[Mapping[str, float | None]] = []

    def __call__(self, line: str) -> None:
        """Tells what a line says; one without a meaning is a line for the log."""
        line = PREFIX.sub("", line)
        if bar := BAR.match(line.strip()):
            self._progress(int(bar[1]), int(bar[2]))
        elif metrics := _metrics(line):
            self._held.append(metrics)
        elif line.strip() and not OTHER_BAR.search(line):
            self._release()
            if not self._is_end(line):
                self._listen(Log("", f"{self._label.strip()} {line}".strip()))

    def _release(self) -> None:
        """Tells the metrics whose step is known by now."""
        for metrics in self._held:
            self._tell(Metrics(self._step, self._done, metrics))
        self._held.clear()

    @property
    def _step(self) -> str:
        return f"{self._left[0]}{self._label}" if self._left else ""

    def _tell(self, event: Event) -> None:
        if event.step:
            self._listen(event)

    def _progress(self, done: int, total: int) -> None:
        """The first bar of a stage counts its optimizer steps; those of evaluations have another total."""
        self._total = self._total or total
        if total == self._total and (done != self._done or done == 0):
            self._done = done
            self._tell(Progress(self._step, done, total))
        self._release()

    def _is_end(self, line: str) -> bool:
        """Whether a line says that a stage is finished, such as ``sft: outputs/job/sft``."""
        name, colon, folder = line.partition(": ")
        if not colon or name not in self._left or not folder.rstrip("/").endswith(name):
            return False
        while self._left[0] != name:
            self._left.pop(0)
        self._tell(StageFinished(self._step, folder))
        self._left.pop(0)
        self._done = self._total = 0
        self._listen(Log("", f"{name}{self._label}: {folder}"))
        return True


def _metrics(line: str) -> Mapping[str, float | None]:
    """The metrics of a line that holds some; those that are not finite are None."""
    found = METRICS.search(line)
    if not found:
        return {}
    try:
        values = ast.literal_eval(found[0].strip())
    except (ValueError, SyntaxError):
        return {}
    numbers = {name: _number(value) for name, value in values.items()}
    return {name: found if math.isfinite(found) else None for name, found in numbers.items() if found is not None}


def _number(value: Any) -> float | None:
    """``value`` as a number, which may be written as text; None if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
