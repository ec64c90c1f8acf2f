"""Curves as files, and what is read back from them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from qtpy.QtGui import QImage

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.gui.curves.export import as_csv, write_image
from ryven_llm_nodes.gui.curves.series import Curve, Series

POINTS = [(1, 0.1), (2, 1 / 3), (3, 1e-30)]


def test_every_point_is_read_back_exactly() -> None:
    text = as_csv([Curve('loss, "sft"\n', "", Series(POINTS))])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(int(row["step"]), float(row["value"])) for row in rows] == POINTS
    assert {(row["curve"], row["smoothed"]) for row in rows} == {('loss, "sft"\n', "")}


def test_a_long_curve_is_not_thinned() -> None:
    points = [(step, float(step % 7)) for step in range(5000)]
    assert as_csv([Curve("a", "", Series(points))]).count("\n") == 5001


def test_earlier_runs_are_numbered_and_averages_stand_beside() -> None:
    curves = [
        Curve("sft", "", Series([(1, 5.0)]), earlier=True),
        Curve("sft", "", Series([(1, 4.0)]), earlier=True),
        Curve("loss", "", Series([(1, 0.0), (2, 1.0)], smoothing=0.5)),
    ]
    assert as_csv(curves).splitlines() == [
        "curve,step,value,smoothed",
        "sft (earlier run 1),1,5.0,",
        "sft (earlier run 2),1,4.0,",
        "loss,1,0.0,0.0",
        f"loss,2,1.0,{0.5 / 0.75!r}",
    ]


def test_an_image_is_written_or_the_place_is_named(tmp_path: Path) -> None:
    image = QImage(4, 3, QImage.Format.Format_RGB32)
    image.fill(0xFF00FF)
    write_image(tmp_path / "a.png", image)
    assert QImage(str(tmp_path / "a.png")).pixelColor(1, 1).name() == "#ff00ff"
    with pytest.raises(UsageError, match=r"cannot write the image .*none/a\.png; choose another place\."):
        write_image(tmp_path / "none" / "a.png", image)
