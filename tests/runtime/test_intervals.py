"""Intervals that cover as often as they say, and p-values that mean what they say."""

from __future__ import annotations

import pytest
import torch

from ryven_llm_nodes.runtime.intervals import holm, interval, sign_flip_test

SIMULATIONS = 1000
SOURCES = {
    "normal": (lambda g, n: torch.randn(n, generator=g, dtype=torch.float64), 0.0),
    "skewed": (lambda g, n: -torch.log(torch.rand(n, generator=g, dtype=torch.float64)), 1.0),
    "share": (lambda g, n: (torch.rand(n, generator=g) < 0.7).double(), 0.7),
}


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_intervals_of_95_percent_cover_in_93_to_97_percent(source: str) -> None:
    draw, truth = SOURCES[source]
    generator = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(SIMULATIONS):
        found = interval(draw(generator, 100).tolist())
        covered += found["low"] <= truth <= found["high"]
    assert 930 <= covered <= 970


def test_weights_are_those_of_the_rows() -> None:
    found = interval([1.0, 3.0], weights=[3, 1])
    assert found["value"] == 1.5
    assert 1 <= found["low"] <= 1.5 <= found["high"] <= 3


def test_equal_values_and_single_ones_have_no_width() -> None:
    assert interval([2.0, 2.0, 2.0]) == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert interval([5.0]) == {"value": 5.0, "low": 5.0, "high": 5.0}


def test_the_same_values_give_the_same_interval_whatever_the_random_state() -> None:
    values = [0.1 * i * i for i in range(30)]
    torch.manual_seed(1)
    first = interval(values)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert interval(values) == first
    assert torch.equal(torch.get_rng_state(), state)


def test_sign_flips_of_few_rows_by_hand() -> None:
    """Of the 8 sign patterns of three equal differences, two are as large as the one observed."""
    assert sign_flip_test([1.0, 1.0, 1.0]) == pytest.approx(2 / 8, abs=0.02)
    assert sign_flip_test([1.0, -1.0]) == pytest.approx(1.0, abs=1e-3)
    assert sign_flip_test([0.0, 0.0]) == 1.0
    assert sign_flip_test([1.0] * 40) < 0.001


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
