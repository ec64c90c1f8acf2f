"""Durations, sizes and numbers in words."""

from __future__ import annotations

import pytest

from ryven_llm_nodes.quantities import duration, number, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (42, "42 s"), (59.6, "1 min 0 s"), (75, "1 min 15 s"), (7200, "2 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (12_400, "12 kB"),
        (3_450_000, "3.5 MB"),
        (350e6, "350 MB"),
        (13.46e9, "13.5 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_sizes(count: float, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("value", "text"), [(0.50449, "0.5045"), (1.2e-5, "1.2e-5"), (0, "0"), (12340.4, "12340"), (1e-5, "1e-5")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
