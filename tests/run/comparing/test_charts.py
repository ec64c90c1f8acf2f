"""Curves and intervals as SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ryven_llm_nodes.run.comparing.charts import Bar, Line, interval_chart, line_chart, thinned_points


def test_a_curve_rises_where_its_values_do() -> None:
    chart = ElementTree.fromstring(line_chart([Line("a & <b>", [(1, 0.0), (2, 1.0), (3, 4.0)], 2)]))
    (curve,) = chart.iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in curve.attrib["points"].split()]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x1 < x2 < x3
    assert y1 > y2 > y3, "upwards is smaller"
    assert y2 - y3 == pytest.approx(3 * (y1 - y2), abs=0.5)
    assert [title.text for title in chart.iter("title")] == ["a & <b>"]


@pytest.mark.parametrize("points", [[(1, 2.0)], [(1, 0.0), (9, 0.0)], [(1, -1e-9), (2, 1e9)]])
def test_any_values_are_drawn_inside(points: list[tuple[float, float]]) -> None:
    chart = line_chart([Line("a", points, 0)])
    numbers = [float(n) for n in re.findall(r'(?:x1|y1|cx|cy)="([^"]+)"', chart)]
    assert all(0 <= n <= 460 for n in numbers)
    assert "nan" not in chart


def test_long_curves_are_means_of_neighbours() -> None:
    points = [(float(i), float(i % 2)) for i in range(10_000)]
    thin = thinned_points(points, 100)
    assert len(thin) == 100
    assert all(y == pytest.approx(0.5) for _, y in thin)


def test_an_interval_that_spans_no_difference_crosses_its_line() -> None:
    bars = [Bar("a", 0.1, -0.1, 0.3, "same", "+0.1"), Bar("b", 0.5, 0.4, 0.6, "better", "+0.5")]
    chart = ElementTree.fromstring(interval_chart(bars))
    lines = {line.attrib["class"]: line.attrib for line in chart.iter("line")}
    zero = float(lines["zero"]["x1"])
    assert float(lines["interval same"]["x1"]) < zero < float(lines["interval same"]["x2"])
    assert zero < float(lines["interval better"]["x1"])
