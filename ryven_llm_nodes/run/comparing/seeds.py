"""Several trainings of each model, with other seeds: their mean, and how much it varies from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist, fmean, stdev
from typing import Any, Final

from ryven_llm_nodes.errors import UsageError

T: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""The 97.5 % quantiles of Student's t distribution with 1 to 10 degrees of freedom."""


def pooled_report(reports: Sequence[Mapping[str, Any]], measure: Callable[..., Any]) -> dict[str, Any]:
    """A report whose values of rows are the means over ``reports``, made by the evaluation's own ``measure``.

    Raises UsageError where the rows differ. Completions are those of the first.
    """
    first = reports[0]
    if any(report.get(key) != first.get(key) for report in reports for key in ("rows", "rows_sha256")):
        raise UsageError("evaluations of one name were measured on other rows; compare them without --seeds.")
    models = [name for name in ("model", "baseline") if all(name in report for report in reports)]
    return {**first, **{name: _pooled([report[name] for report in reports], measure) for name in models}}


def _pooled(models: Sequence[Mapping[str, Any]], measure: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in models[0].items():
        if not isinstance(value, dict):
            found[name] = value
        elif "per_row" not in value:
            found[name] = {key: fmean(model[name][key] for model in models) for key in value}
        else:
            rows = zip(*(model[name]["per_row"] for model in models), strict=True)
            found[name] = measure([fmean(row) for row in rows], value.get("weights"))
    return found


def over_seeds(differences: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """For each model and measure its difference with each seed, their mean, and its 95 % interval over seeds.

    The interval is that of Student's t: it holds for other seeds, on the same rows.
    """
    return {
        name: {measure: _varied([of_seed[name][measure]["value"] for of_seed in differences]) for measure in measures}
        for name, measures in differences[0].items()
    }


def _varied(values: Sequence[float]) -> dict[str, Any]:
    mean, spread = fmean(values), stdev(values) / len(values) ** 0.5
    half = t_quantile(len(values) - 1) * spread
    return {"value": mean, "low": mean - half, "high": mean + half, "values": list(values)}


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t; from 11 degrees of freedom by its expansion around the normal one."""
    if freedom <= len(T):
        return T[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
