"""Curves as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from qtpy.QtGui import QImage

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.gui.curves.series import Curve


def as_csv(curves: Iterable[Curve]) -> str:
    """Every point of every curve, one per line: the curve, the step, the value, and the average if shown.

    Earlier runs are numbered, the oldest one is 1. Values round-trip exactly.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("curve", "step", "value", "smoothed"))
    earlier = count(1)
    for curve in curves:
        name = f"{curve.label} (earlier run {next(earlier)})" if curve.earlier else curve.label
        for (step, value), smooth in zip(curve.series.points, _averages(curve), strict=False):
            rows.writerow((name, step, repr(value), smooth))
    return text.getvalue()


def _averages(curve: Curve) -> Iterator[str]:
    averaged = curve.series.averaged()
    return iter([repr(value) for _, value in averaged] if averaged else [""] * len(curve.series.points))


def write_image(path: Path, image: QImage) -> None:
    """Writes an image; raises UsageError if that is not possible."""
    if not image.save(str(path)):
        raise UsageError(f"cannot write the image {path}; choose another place.")
