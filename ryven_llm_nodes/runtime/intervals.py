"""Bootstrap confidence intervals of means, and tests of paired differences."""

from collections.abc import Sequence
from statistics import NormalDist

import torch

RESAMPLES = 2000
FLIPS = 10000
NORMAL = NormalDist()


def interval(values: Sequence[float], weights: Sequence[float] | None = None, level: float = 0.95) -> dict[str, float]:
    """The (weighted) mean of `values` as `value`, and its BCa bootstrap interval as `low` and `high`.

    Rows are resampled, with their weights. BCa corrects the percentiles for bias and skewness (Efron, "Better Bootstrap
    Confidence Intervals", 1987). The draws are the same for the same number of rows.
    """
    x = torch.tensor(values, dtype=torch.float64)
    w = torch.ones_like(x) if weights is None else torch.tensor(weights, dtype=torch.float64)
    mean = ((x * w).sum() / w.sum()).item()
    if len(x) < 2 or x.min() == x.max():
        return {"value": mean, "low": mean, "high": mean}
    means = resampled_means(x, w)
    low, high = torch.quantile(means, torch.tensor(bca_levels(x, w, mean, means, level), dtype=torch.float64)).tolist()
    return {"value": mean, "low": low, "high": high}


def resampled_means(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The weighted means of `RESAMPLES` draws of as many rows, with replacement."""
    generator, means = torch.Generator().manual_seed(len(x)), []
    for _ in range(0, RESAMPLES, 100):  # in parts: indices of all draws at once would take too much memory
        rows = torch.randint(len(x), (100, len(x)), generator=generator)
        means.append((x[rows] * w[rows]).sum(1) / w[rows].sum(1))
    return torch.cat(means)


def bca_levels(x: torch.Tensor, w: torch.Tensor, mean: float, means: torch.Tensor, level: float) -> list[float]:
    """The quantiles of the resampled `means` that bound the interval."""
    below = (means < mean).double().mean().item()
    bias = NORMAL.inv_cdf(min(max(below, 1 / RESAMPLES), 1 - 1 / RESAMPLES))
    influence = w * (x - mean)
    skewness = ((influence**3).sum() / (6 * (influence**2).sum() ** 1.5)).item()
    widening = (len(x) / (len(x) - 1)) ** 0.5  # a resample underestimates the variance by 1/n
    shifts = (bias + widening * NORMAL.inv_cdf(tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    return [NORMAL.cdf(bias + shift / (1 - skewness * shift)) for shift in shifts]


def sign_flip_test(differences: Sequence[float]) -> float:
    """The two-sided p-value of paired differences having mean 0, by `FLIPS` random flips of their signs."""
    d = torch.tensor(differences, dtype=torch.float64)
    if not d.any():
        return 1.0
    generator = torch.Generator().manual_seed(len(d))
    observed, larger = d.sum().abs().item(), 0
    for _ in range(0, FLIPS, 100):
        signs = torch.randint(2, (100, len(d)), generator=generator) * 2 - 1
        larger += ((signs * d).sum(1).abs() >= observed * (1 - 1e-12)).sum().item()
    return (larger + 1) / (FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979), in the same order."""
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = running
    return corrected
