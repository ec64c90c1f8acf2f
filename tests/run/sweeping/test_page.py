"""The page of a sweep."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import flows
import pytest

from ryven_llm_nodes.program.sweeping.space import space_of
from ryven_llm_nodes.run.sweeping.page import page
from ryven_llm_nodes.run.sweeping.study import Trial
from ryven_llm_nodes.run.sweeping.sweep import Plan, Result, plan

TRIALS = [
    Trial(0, {"dpo.beta": 0.1, "dpo.learning_rate": 1e-5}, "done", 0.5, seconds=60.0),
    Trial(1, {"dpo.beta": 0.3, "dpo.learning_rate": 1e-6}, "done", 0.25, seconds=60.0),
    Trial(2, {"dpo.beta": 0.3, "dpo.learning_rate": 1e-4}, "failed", error="<out> of memory", seconds=2.0),
]


@pytest.fixture
def planned(data: Path, tmp_path: Path) -> Plan:
    settings = ["dpo.beta=0.1,0.3", "dpo.learning_rate=1e-6..1e-4:log"]
    return plan(space_of(flows.graph(flows.alone("dpo"), data), settings), "dpo.loss", tmp_path, 3, maximize=False)


def test_each_trial_is_a_line_and_a_dot_for_each_parameter(planned: Plan) -> None:
    text = page(planned, Result(TRIALS, TRIALS[1]))
    parallel, beta, rate = (ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    lines = [line.attrib["class"] for line in parallel.iter("polyline")]
    assert lines == ["curve s0", "curve s2"], "the best last, over the others"
    places = {dot.attrib["class"]: float(dot.attrib["cx"]) for dot in rate.iter("circle")}
    worse, best = places["dot same"], places["dot better"]
    ends = sorted(float(tick.attrib["x"]) for tick in rate.iter("text") if tick.attrib["class"] == "tick middle")
    assert best == pytest.approx(ends[0], abs=0.2), "1e-6 is the lower end"
    assert worse == pytest.approx((ends[0] + ends[-1]) / 2, abs=0.2), "1e-5 is half way of a logarithmic range"
    assert len(list(beta.iter("circle"))) == 2


def test_failures_are_told_as_text_and_nothing_is_loaded(planned: Plan) -> None:
    text = page(planned, Result(TRIALS, TRIALS[1]))
    assert "&lt;out&gt; of memory" in text
    assert "3 trials to minimize it, 2 min 2 s in all; 1 failed. Seed 0; chosen by TPE." in text
    assert not re.search(r"https?://|@import|url\(|<script|<link", text)


def test_a_sweep_without_results_has_a_table_only(planned: Plan) -> None:
    text = page(planned, Result(TRIALS[2:], None))
    assert "<svg" not in text
    assert "of memory" in text
