"""The learning curves as an SVG picture: a small plot per task, a line per method, the mean over its seeds."""

import statistics
from html import escape
from typing import Any

from .report import Curve, grouped

COLUMNS, WIDTH, HEIGHT, MARGIN = 4, 240, 150, 36
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")


def mean_curve(curves: list[Curve]) -> list[tuple[int, float]]:
    """The mean success over the seeds, by the number of completions."""
    columns = zip(*curves, strict=False)
    return [(column[0][0], statistics.mean(point[2] for point in column)) for column in columns]


def polyline(points: list[tuple[int, float]], last: int, color: str) -> str:
    """A curve; success 0 is the lower edge, 1 the upper."""
    places = " ".join(f"{WIDTH * x / last:.1f},{HEIGHT * (1 - y):.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.8"/>'


def plot(task: str, methods: dict[str, list[dict[str, Any]]], colors: dict[str, str]) -> str:
    """The plot of a task, its upper left corner at 0, 0."""
    curves = {name: mean_curve([line["curve"] for line in lines]) for name, lines in methods.items() if name in colors}
    last = max((points[-1][0] for points in curves.values()), default=1)
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    parts += [f'<text y="-6" font-weight="bold">{escape(task)}</text>']
    parts += [f'<text x="-4" y="{y}" text-anchor="end">{label}</text>' for y, label in ((8, 1), (HEIGHT, 0))]
    parts += [f'<text x="{WIDTH}" y="{HEIGHT + 13}" text-anchor="end">{last} completions</text>']
    parts += [polyline(points, last, colors[name]) for name, points in curves.items()]
    return "".join(parts)


def moved(x: float, y: float, content: str) -> str:
    """Content with its origin at x, y."""
    return f'<g transform="translate({x},{y})">{content}</g>'


def picture(lines: list[dict[str, Any]]) -> str:
    """The text of the SVG file."""
    groups = grouped(lines)
    names = list(dict.fromkeys(name for methods in groups.values() for name in methods if name != "untrained"))
    colors = {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}
    parts = []
    for i, (task, methods) in enumerate(groups.items()):
        x, y = (i % COLUMNS) * (WIDTH + MARGIN) + MARGIN, (i // COLUMNS) * (HEIGHT + MARGIN) + 2 * MARGIN
        parts.append(moved(x, y, plot(task, methods, colors)))
    for i, (name, color) in enumerate(colors.items()):
        parts.append(moved(MARGIN + 150 * i, 20, f'<text fill="{color}" font-size="13">{escape(name)}</text>'))
    width = COLUMNS * (WIDTH + MARGIN) + MARGIN
    height = -(-len(groups) // COLUMNS) * (HEIGHT + MARGIN) + 2 * MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
    return f'{head} font-size="10"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
