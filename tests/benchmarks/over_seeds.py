"""A number that was measured with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from ryven_llm_nodes.run.comparing.seeds import t_quantile


def over_seeds(values: Sequence[float]) -> str:
    """The mean, with its 95 % interval over seeds (Student's t) where there are several."""
    if len(values) < 2:
        return f"{values[0]:+.3f}"
    return f"{fmean(values):+.3f} ± {t_quantile(len(values) - 1) * stdev(values) / len(values) ** 0.5:.3f}"
