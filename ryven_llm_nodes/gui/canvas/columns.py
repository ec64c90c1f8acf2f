"""Where nodes go so that wires run from left to right, few cross, and the canvas is filled. Numbers alone, no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Final, TypeAlias

Size: TypeAlias = tuple[float, float]
Wires: TypeAlias = Sequence[tuple[int, int]]
GAP_X, GAP_Y, GAP_BANDS = 60.0, 36.0, 90.0
WORTH: Final = 1.3
"""Wires that lead back to the left cost legibility: columns are wrapped where nodes become this much larger by it."""


def placed(sizes: Sequence[Size], wires: Wires, heights: Sequence[float], view: Size) -> list[Size]:
    """The upper left corner of each node, for a canvas of size ``view``.

    ``wires`` lead from the node of one number to that of another; ``heights`` are where the nodes
    lie now: those of one column stay in that order, as far as wires do not cross more often by it.
    """
    if not sizes:
        return []
    columns = _ordered(_columns(len(sizes), wires), wires, heights)
    bands = max(range(1, len(columns) + 1), key=lambda count: _worth(count, columns, sizes, view))
    places: dict[int, Size] = {}
    top = 0.0
    for band in _split(columns, bands):
        places |= stacked(band, sizes, top)
        top += max(_height(column, sizes) for column in band) + GAP_BANDS
    return [places[node] for node in range(len(sizes))]


def stacked(columns: Sequence[Sequence[int]], sizes: Sequence[Size], top: float = 0.0) -> dict[int, Size]:
    """The upper left corners of the nodes in ``columns``, which are next to each other; each has the width it needs."""
    places, left = {}, 0.0
    for column in columns:
        down = top
        for node in column:
            places[node] = left, down
            down += sizes[node][1] + GAP_Y
        left += _width(column, sizes) + GAP_X
    return places


def _columns(count: int, wires: Wires) -> list[list[int]]:
    """The nodes by columns: one right of all that it reads, and one without inputs next to what reads it first."""
    depth, waiting = [0] * count, [0] * count
    for _, target in wires:
        waiting[target] += 1
    sources = [node for node in range(count) if not waiting[node]]
    ready = list(sources)
    while ready:  # a circle is never ready, and stays on the left
        node = ready.pop()
        for target in (target for source, target in wires if source == node):
            depth[target] = max(depth[target], depth[node] + 1)
            waiting[target] -= 1
            ready += [target] * (not waiting[target])
    for node in sources:
        depth[node] = min((depth[target] for source, target in wires if source == node), default=1) - 1
    found = [[node for node in range(count) if depth[node] == column] for column in range(count)]
    return [column for column in found if column]


def _ordered(columns: list[list[int]], wires: Wires, heights: Sequence[float]) -> list[list[int]]:
    """Each column in the order of its neighbours' places (the barycentre heuristic of Sugiyama et al., 1981)."""
    near: dict[int, list[int]] = {}
    for source, target in wires:
        near.setdefault(source, []).append(target)
        near.setdefault(target, []).append(source)
    columns = [sorted(column, key=lambda node: heights[node]) for column in columns]
    for order in (range(len(columns)), reversed(range(len(columns)))):
        for i in order:
            rank = {node: place / len(column) for column in columns for place, node in enumerate(column)}
            columns[i].sort(key=lambda node: fmean(rank[one] for one in near.get(node, [node])))
    return columns


def _split(columns: list[list[int]], bands: int) -> list[list[list[int]]]:
    """The columns in ``bands`` groups of as equal number as they can have."""
    each, more = divmod(len(columns), bands)
    ends = [each * i + min(i, more) for i in range(bands + 1)]
    return [columns[a:b] for a, b in pairwise(ends)]


def _worth(bands: int, columns: list[list[int]], sizes: Sequence[Size], view: Size) -> float:
    """The zoom at which all is seen, less where columns are wrapped, and more again where fewer."""
    split = _split(columns, bands)
    width = max(sum(_width(column, sizes) + GAP_X for column in band) for band in split)
    height = sum(max(_height(column, sizes) for column in band) + GAP_BANDS for band in split)
    zoom = min(view[0] / width, view[1] / height, 1.0)
    return zoom / WORTH ** (bands > 1) - bands / 1000


def _width(column: Sequence[int], sizes: Sequence[Size]) -> float:
    return max(sizes[node][0] for node in column)


def _height(column: Sequence[int], sizes: Sequence[Size]) -> float:
    return sum(sizes[node][1] + GAP_Y for node in column)
