"""Evaluations of trainings that differ in their seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.comparing.comparison import comparison_over_seeds
from ryven_llm_nodes.run.comparing.found import evaluations_by_seed
from ryven_llm_nodes.run.comparing.page import page
from ryven_llm_nodes.run.comparing.seeds import t_quantile
from ryven_llm_nodes.runtime.evaluation import measure

ROWS = 30
GAINS = (0.1, 0.2, 0.6)
"""By how much the model of each seed is better than its baseline."""


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """The output folders of three seeds."""
    for seed, gain in enumerate(GAINS):
        write(tmp_path / str(seed) / "check", gain, seed)
    return [tmp_path / str(seed) for seed in range(len(GAINS))]


def write(folder: Path, gain: float, seed: int, **more: Any) -> None:
    base = [0.1 * seed + 0.2 * (i % 2) for i in range(ROWS)]
    of = {"model": {"accuracy": measure([v + gain for v in base])}, "baseline": {"accuracy": measure(base)}}
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"rows": ROWS, "prompts": [], **of, **more}))


def test_values_are_means_over_seeds(places: list[Path]) -> None:
    found = comparison_over_seeds(evaluations_by_seed(places))
    assert found.models["baseline"]["accuracy"]["value"] == pytest.approx(0.2)
    assert found.difference("check", "accuracy")["value"] == pytest.approx(0.3)


def test_the_interval_over_seeds_by_hand(places: list[Path]) -> None:
    of = comparison_over_seeds(evaluations_by_seed(places)).over_seeds["check"]["accuracy"]
    assert of["values"] == pytest.approx(GAINS)
    half = 4.303 * (0.07 / 3) ** 0.5  # the variance of 0.1, 0.2 and 0.6 is 0.07
    assert (of["low"], of["high"]) == pytest.approx((0.3 - half, 0.3 + half))


def test_the_page_shows_each_seed(places: list[Path]) -> None:
    text = page(comparison_over_seeds(evaluations_by_seed(places)))
    assert "Over 3 seeds" in text
    assert "+0.1, +0.2, +0.6" in text


def test_what_cannot_be_pooled_is_refused(places: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"as many of each; there are check \(1\)"):
        evaluations_by_seed(places[:1])
    write(tmp_path / "other" / "check", 0.1, 0, rows_sha256="other")
    with pytest.raises(UsageError, match="were measured on other rows"):
        comparison_over_seeds(evaluations_by_seed([*places, tmp_path / "other"]))


def test_quantiles_go_on_smoothly() -> None:
    assert t_quantile(2) == 4.303
    assert t_quantile(11) == pytest.approx(2.201, abs=0.003)
    assert t_quantile(10**6) == pytest.approx(1.96, abs=0.001)
