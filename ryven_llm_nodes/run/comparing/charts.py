"""Charts as SVG that needs nothing else: curves over each other, differences with intervals, and the flow.

Colours are classes of the page that they stand in, which has a light and a dark form: ``s0`` to ``s7`` are series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup, escape

from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.quantities import number

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 12, 30
MOST_POINTS: Final = 300
SERIES: Final = 8


@dataclass(frozen=True)
class Line:
    """A curve, with the number of its colour."""

    label: str
    points: Points
    colour: int


@dataclass(frozen=True)
class Bar:
    """A value with its interval; ``tone`` is better, worse or same."""

    label: str
    value: float
    low: float
    high: float
    tone: str
    text: str


def line_chart(lines: Sequence[Line], unit: str = "optimizer step") -> Markup:
    """Curves over each other, each as its mean over neighbouring steps where it has many."""
    thinned = [(line, thinned_points(line.points)) for line in lines]
    steps = [x for _, points in thinned for x, _ in points]
    values = [y for _, points in thinned for _, y in points]
    across = _Scale(min(steps), max(steps), LEFT, WIDTH - RIGHT)
    up = _Scale(*_padded(min(values), max(values)), HEIGHT - BOTTOM, TOP)
    marks = [*_grid(up, across, unit), *(_curve(line, points, across, up) for line, points in thinned)]
    return _svg(WIDTH, HEIGHT, ", ".join(line.label for line in lines), marks)


def thinned_points(points: Points, most: int = MOST_POINTS) -> Points:
    """``points`` as at most ``most`` means of neighbours."""
    if len(points) <= most:
        return points
    bounds = [round(i * len(points) / most) for i in range(most + 1)]
    parts = [points[a:b] for a, b in pairwise(bounds)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def interval_chart(bars: Sequence[Bar]) -> Markup:
    """Differences with their intervals, one below the other, next to the line of no difference."""
    height, left, right = 26 * len(bars) + 30, 130, WIDTH - 130
    low, high = min(0.0, *(bar.low for bar in bars)), max(0.0, *(bar.high for bar in bars))
    across = _Scale(*_padded(low, high), left, right)
    bottom = height - 24
    marks = [_line(across(x), 4, across(x), bottom, "grid") for x in across.ticks(4)]
    marks += [_text(across(x), height - 8, _tick(x), "tick middle") for x in across.ticks(4)]
    marks.append(_line(across(0), 4, across(0), bottom, "zero"))
    for i, bar in enumerate(bars):
        marks += _bar(bar, across, 18 + 26 * i, left, right)
    return _svg(WIDTH, height, "; ".join(f"{bar.label} {bar.text}" for bar in bars), marks)


def _bar(bar: Bar, across: _Scale, y: float, left: float, right: float) -> Iterator[str]:
    yield _text(left - 12, y + 4, _short(bar.label, 18), "label end")
    yield _line(across(bar.low), y, across(bar.high), y, f"interval {bar.tone}")
    yield f'<circle class="dot {bar.tone}" cx="{across(bar.value):.1f}" cy="{y}" r="4.5"/>'
    yield _text(right + 12, y + 4, bar.text, f"label {bar.tone}")


def flow_picture(graph: Graph, accents: Mapping[str, str]) -> Markup:
    """The nodes of a flow from left to right, each after those it depends on; ``accents`` are classes, by node."""
    depth: dict[str, int] = {}
    for step in graph.order:
        depth[step.name] = max((depth[wire.step] + 1 for wire in step.wires.values()), default=0)
    for step in reversed(graph.order):  # a source stands next to what first reads it
        readers = [depth[s.name] for s in graph.steps if any(w.step == step.name for w in s.wires.values())]
        depth[step.name] = min(readers) - 1 if readers else depth[step.name]
    columns: dict[int, list[str]] = {}
    for step in graph.order:
        columns.setdefault(depth[step.name], []).append(step.name)
    tall, wide = max(map(len, columns.values())), max(columns) + 1
    place = {
        name: (20 + column * 170, 16 + (row + (tall - len(names)) / 2) * 58)
        for column, names in columns.items()
        for row, name in enumerate(names)
    }
    wires = [(place[w.step], place[s.name]) for s in graph.steps for w in s.wires.values()]
    marks = [_wire(*ends) for ends in wires]
    for step in graph.steps:
        x, y = place[step.name]
        marks.append(
            f'<rect class="node {accents.get(step.name, "")}" x="{x}" y="{y}" width="130" height="42" rx="7"/>'
        )
        marks.append(_text(x + 65, y + 18, _short(step.name, 19), "name middle"))
        marks.append(_text(x + 65, y + 33, step.node.title, "tick middle"))
    return _svg(wide * 170, tall * 58 + 20, f"the flow {graph.title}", marks, fixed=True)


def _wire(source: tuple[float, float], target: tuple[float, float]) -> str:
    (x, y), (a, b) = (source[0] + 130, source[1] + 21), (target[0], target[1] + 21)
    bend = max((a - x) / 2, 20)
    return f'<path class="wire" d="M{x:.0f} {y:.0f} C{x + bend:.0f} {y:.0f} {a - bend:.0f} {b:.0f} {a:.0f} {b:.0f}"/>'


# Scales and marks


class _Scale:
    """From values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """About ``count`` round values."""
        span = (self.high - self.low) or 1.0
        size = 10 ** math.floor(math.log10(span / count))
        step = next(size * k for k in (1, 2, 5, 10) if span / (size * k) <= count)
        first = math.ceil(self.low / step - 1e-9)
        return [round(i * step, 12) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _padded(low: float, high: float) -> tuple[float, float]:
    space = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - space, high + space


def _grid(up: _Scale, across: _Scale, unit: str) -> Iterator[str]:
    for value in up.ticks(4):
        yield _line(LEFT, up(value), WIDTH - RIGHT, up(value), "grid")
        yield _text(LEFT - 8, up(value) + 4, _tick(value), "tick end")
    for value in (x for x in across.ticks(5) if x == int(x)):
        yield _text(across(value), HEIGHT - 12, f"{value:.0f}", "tick middle")
    yield _text(WIDTH - RIGHT, HEIGHT - 1, unit, "unit end")


def _curve(line: Line, points: Points, across: _Scale, up: _Scale) -> str:
    colour, title = f"s{line.colour % SERIES}", f"<title>{escape(line.label)}</title>"
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle class="dot {colour}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="4">{title}</circle>'
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    return f'<polyline class="curve {colour}" points="{path}">{title}</polyline>'


def _tick(value: float) -> str:
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _line(x: float, y: float, a: float, b: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{a:.1f}" y2="{b:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _svg(width: float, height: float, title: str, marks: Iterable[Any], fixed: bool = False) -> Markup:
    size = f'width="{width:.0f}" height="{height:.0f}"' if fixed else 'width="100%"'
    opening = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" {size} role="img" aria-label="{escape(title)}">'
    return Markup(opening + "".join(marks) + "</svg>")
