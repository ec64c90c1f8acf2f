"""The coordinates of a plot, the part that is shown, and the round numbers at its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from qtpy.QtCore import QPointF, QRectF

from ryven_llm_nodes.gui.curves.series import Point

Range = tuple[float, float]
NARROWEST: Final = 2.0
"""Minimum number of visible steps."""


@dataclass(frozen=True)
class View:
    """The part that a user has selected: a range of steps, one of scaled values (None: all), and
    whether the scale is logarithmic."""

    steps: Range | None = None
    values: Range | None = None
    log: bool = False


@dataclass(frozen=True)
class Frame:
    """Steps and values in a rectangle. ``low`` and ``high`` are powers of ten where the axis is logarithmic."""

    box: QRectF
    first: float
    last: float
    low: float
    high: float
    log: bool = False

    def at(self, point: Point) -> QPointF:
        """The position of a point."""
        return QPointF(self.x(point[0]), self.y(point[1]))

    def places(self, points: Sequence[Point]) -> list[QPointF]:
        """All points at once, except those without a logarithm; inlined, since this dominates the time of a redraw."""
        right = self.box.width() / ((self.last - self.first) or 1)
        up = self.box.height() / ((self.high - self.low) or 1)
        left, bottom = self.box.left() - self.first * right, self.box.bottom() + self.low * up
        if self.log:
            log10 = math.log10
            return [QPointF(left + step * right, bottom - log10(value) * up) for step, value in points if value > 0]
        return [QPointF(left + step * right, bottom - value * up) for step, value in points]

    def x(self, step: float) -> float:
        """The position of a step."""
        return self.box.left() + (step - self.first) / ((self.last - self.first) or 1) * self.box.width()

    def y(self, value: float) -> float:
        """The position of a value; the bottom for one without a logarithm."""
        scaled = value if not self.log else math.log10(value) if value > 0 else self.low
        return self.box.bottom() - (scaled - self.low) / ((self.high - self.low) or 1) * self.box.height()

    def step(self, x: float) -> float:
        """The step at a position."""
        return self.first + (x - self.box.left()) / (self.box.width() or 1) * (self.last - self.first)

    def scaled(self, y: float) -> float:
        """The scaled value at a position."""
        return self.low + (self.box.bottom() - y) / (self.box.height() or 1) * (self.high - self.low)

    # Zooming and moving

    def zoomed(self, view: View, place: QPointF, factor: float, whole: Range) -> View:
        """``view`` with its steps zoomed around ``place``; left of the plot, its values instead."""
        if place.x() < self.box.left():
            return replace(view, values=_around(self.scaled(place.y()), (self.low, self.high), factor))
        steps = _inside(_around(self.step(place.x()), (self.first, self.last), factor), whole)
        if steps[1] - steps[0] < min(NARROWEST, whole[1] - whole[0]):
            return view
        return replace(view, steps=None if steps == whole else steps)

    def dragged(self, view: View, by: QPointF, whole: Range) -> View:
        """``view`` after dragging; an axis that is shown in full does not move."""
        right = by.x() / (self.box.width() or 1) * (self.last - self.first)
        up = by.y() / (self.box.height() or 1) * (self.high - self.low)
        steps = _inside((self.first - right, self.last - right), whole) if view.steps else None
        return replace(view, steps=steps, values=(self.low + up, self.high + up) if view.values else None)


def _around(centre: float, shown: Range, factor: float) -> Range:
    return centre - (centre - shown[0]) * factor, centre + (shown[1] - centre) * factor


def _inside(wanted: Range, whole: Range) -> Range:
    """``wanted``, moved and clipped to ``whole``."""
    width = min(wanted[1] - wanted[0], whole[1] - whole[0])
    first = min(max(wanted[0], whole[0]), whole[1] - width)
    return first, first + width


# Axes


@dataclass(frozen=True)
class Ticks:
    """Round numbers along an axis, and their distance; 0 for powers of ten."""

    values: tuple[float, ...]
    apart: float

    def label(self, value: float) -> str:
        """``value`` with enough digits to distinguish it from the next one."""
        if value == 0:
            return "0"
        apart = self.apart or abs(value)
        if 1e-3 <= max(abs(value), apart) < 1e5:
            return f"{value:.{max(-math.floor(math.log10(apart) + 1e-9), 0)}f}"
        digits, exponent = f"{value:.1e}".split("e")
        return f"{digits.removesuffix('.0')}e{int(exponent)}"


def ticks(low: float, high: float, most: int, log: bool = False) -> Ticks:
    """About ``most`` numbers between ``low`` and ``high``; powers of ten if these span two decades."""
    if log and high - low >= 2:
        powers = range(math.ceil(low), math.floor(high) + 1, max(math.ceil((high - low) / most), 1))
        return Ticks(tuple(10.0**power for power in powers), 0.0)
    if log:
        low, high = 10.0**low, 10.0**high
    least = (high - low) / max(most, 1)
    if not (least > 0 and math.isfinite(least)):
        return Ticks((), 1.0)
    power = 10.0 ** math.floor(math.log10(least))
    apart = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= least)
    first = math.ceil(low / apart)
    return Ticks(tuple((first + i) * apart for i in range(most + 2) if (first + i) * apart <= high), apart)
