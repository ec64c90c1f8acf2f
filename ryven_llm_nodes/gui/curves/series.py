"""Curves as numbers: downsampled to few points that include every extreme, and exact values for a step."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

Point = tuple[int, float]
"""An optimizer step, and the value there."""

LIMIT: Final = 160


class Trace:
    """A curve of any length that can be drawn: between ``limit`` and twice as many buckets of neighbours.

    Each bucket keeps its lowest and its highest point, so no spike is lost. Points are added in the order of steps.
    ``smoothing`` from 0 (none) to below 1 makes it an exponential moving average, corrected for its start.
    """

    def __init__(self, limit: int = LIMIT, smoothing: float = 0.0) -> None:
        self.limit, self.smoothing = limit, smoothing
        self._buckets: list[tuple[Point, Point]] = []
        self._size, self._filled = 1, 0
        self._mean, self._weight = 0.0, 0.0
        self.last: Point | None = None

    def add(self, step: int, value: float) -> Point:
        """Appends a point; returns it as it is drawn, averaged if there is smoothing."""
        if self.smoothing:
            self._mean = self.smoothing * self._mean + (1 - self.smoothing) * value
            self._weight = self.smoothing * self._weight + (1 - self.smoothing)
            value = self._mean / self._weight
        point = (step, value)
        if self._buckets and self._filled < self._size:
            self._buckets[-1] = _merged(self._buckets[-1], (point, point))
            self._filled += 1
        else:
            self._buckets.append((point, point))
            self._filled = 1
        self.last = point
        if len(self._buckets) > 2 * self.limit:
            self._halve()
        return point

    def _halve(self) -> None:
        """Merges pairs of buckets. There is an odd number of them; the last, unfinished one is filled further."""
        pairs = zip(self._buckets[:-1:2], self._buckets[1::2], strict=True)
        self._buckets = [*(_merged(first, second) for first, second in pairs), self._buckets[-1]]
        self._size *= 2

    def points(self) -> list[Point]:
        """The points to draw, in the order of steps; the last point is the last one that was added."""
        found: list[Point] = []
        for lowest, highest in self._buckets:
            first, second = (lowest, highest) if lowest[0] <= highest[0] else (highest, lowest)
            found.append(first)
            if second is not first:
                found.append(second)
        if self.last is not None and found[-1] != self.last:
            found.append(self.last)
        return found

    def highest(self) -> list[Point]:
        """The highest point of every bucket, and the last point."""
        return [*(high for _, high in self._buckets), *([self.last] if self.last else [])]

    def range(self, above: float | None = None) -> tuple[float, float] | None:
        """The lowest and the highest value, of those ``above`` a number if given; None without values.

        The points between the extremes of a bucket are not known: the lowest of them above it may be lower.
        """
        ends = [value for low, high in self._buckets for value in (low[1], high[1]) if above is None or value > above]
        return (min(ends), max(ends)) if ends else None


def _merged(first: tuple[Point, Point], second: tuple[Point, Point]) -> tuple[Point, Point]:
    lowest = second[0] if second[0][1] < first[0][1] else first[0]
    highest = second[1] if second[1][1] > first[1][1] else first[1]
    return lowest, highest


def trace_of(points: Iterable[Point]) -> Trace:
    """A trace of these points."""
    trace = Trace()
    for step, value in points:
        trace.add(step, value)
    return trace


class Series:
    """A metric of one run: the model's own list of points, which only grows, and the trace of it.

    ``catch_up`` adds new points. With ``smoothing`` there is a second trace, of the average.
    """

    def __init__(self, points: Sequence[Point], smoothing: float = 0.0) -> None:
        self.points = points
        self._taken = 0
        self.raw = Trace()
        self.smooth: Trace | None = None
        self._window: tuple[tuple[int, int, float], tuple[Trace, Trace | None]] | None = None
        self.catch_up()
        self.set_smoothing(smoothing)

    def set_smoothing(self, smoothing: float) -> None:
        """Averages with this factor; 0 is no average."""
        if smoothing == (self.smooth.smoothing if self.smooth else 0.0):
            return
        self.smooth = Trace(smoothing=smoothing) if smoothing else None
        if self.smooth is not None:
            for step, value in self.points[: self._taken]:
                self.smooth.add(step, value)

    def catch_up(self) -> None:
        """Adds the points since the last call."""
        for step, value in self.points[self._taken :]:
            self.raw.add(step, value)
            if self.smooth is not None:
                self.smooth.add(step, value)
        self._taken = len(self.points)

    def window(self, first: float, last: float) -> tuple[Trace, Trace | None]:
        """The traces of the points between two steps and one on either side, in full detail."""
        start = max(bisect_left(self.points, (first, -inf)) - 1, 0)
        end = min(bisect_right(self.points, (last, inf)) + 1, len(self.points))
        key = start, end, self.smooth.smoothing if self.smooth else 0.0
        if self._window is None or self._window[0] != key:
            averaged = self.averaged()
            traces = trace_of(self.points[start:end]), trace_of(averaged[start:end]) if averaged else None
            self._window = key, traces
        return self._window[1]

    def averaged(self) -> list[Point]:
        """The average at every point; nothing without smoothing."""
        if self.smooth is None:
            return []
        mean = Trace(smoothing=self.smooth.smoothing)
        return [mean.add(step, value) for step, value in self.points]

    def nearest(self, step: float) -> Point | None:
        """The exact point at ``step``, or the nearest one."""
        if not self.points:
            return None
        place = bisect_left(self.points, (step, float("-inf")))
        near = self.points[max(place - 1, 0) : place + 1]
        return min(near, key=lambda point: abs(point[0] - step))


@dataclass(frozen=True)
class Curve:
    """A line of a plot. An ``earlier`` one is thin and grey, and not part of the reading; a ``dashed`` one is
    measured on other data.

    Where runs are compared, ``stroke`` is the pattern of dashes by which a run is told from the others, in widths of
    the line; a ``dashed`` curve then has a dot at each point instead.
    """

    label: str
    colour: str
    series: Series
    earlier: bool = False
    dashed: bool = False
    stroke: tuple[float, ...] | None = None
