"""Puts the reports of several evaluations side by side, with what differs from the first more than by chance."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from .evaluation import differences_of
from .intervals import holm


def compare(alpha: float = 0.05, **reports: str) -> dict[str, object]:
    """The models of `reports`, folders of evaluations of the same rows, by name; all are compared with the first.

    Differences are paired by row. They are significant where the p-value, corrected for the number of differences in
    the table (Holm, 1979), is below `alpha`. `markdown` holds the table as text.
    """
    found = {
        name: json.loads((Path(folder) / "report.json").read_text(encoding="utf-8")) for name, folder in reports.items()
    }
    models = dict(_models(found))
    first, *others = models
    differences = {name: differences_of(models[first], models[name]) for name in others}
    pairs = [(name, measure) for name in others for measure in differences[name]]
    for (name, measure), p_value in zip(pairs, holm([differences[n][m]["p_value"] for n, m in pairs]), strict=True):
        differences[name][measure] |= {"corrected_p_value": p_value, "significant": p_value < alpha}
    table = {name: {m: _without_rows(v) for m, v in measures.items()} for name, measures in models.items()}
    markdown = "\n".join(_lines(table, differences, alpha)) + "\n"
    return {"models": table, "compared_with": first, "differences": differences, "markdown": markdown}


def _models(found: Mapping[str, Mapping]) -> Iterator[tuple[str, Mapping[str, Mapping]]]:
    """The baselines that differ, then the model of each report."""
    baselines = []
    for name, report in found.items():
        if "baseline" in report and report["baseline"] not in baselines:
            baselines.append(report["baseline"])
            yield ("baseline" if len(baselines) == 1 else f"baseline of {name}"), _measures(report["baseline"])
    for name, report in found.items():
        yield name, _measures(report["model"])


def _measures(values: Mapping) -> dict[str, Mapping]:
    return {name: value for name, value in values.items() if isinstance(value, Mapping)}


def _without_rows(measure: Mapping) -> dict[str, float]:
    return {key: measure[key] for key in ("value", "low", "high")}


def _lines(table: Mapping, differences: Mapping, alpha: float) -> Iterator[str]:
    """The table: a column for each model, a line for each measure."""
    names = list(table)
    measures = list(dict.fromkeys(measure for of_model in table.values() for measure in of_model))
    yield f"| | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for measure in measures:
        cells = (_cell(table[name].get(measure), differences.get(name, {}).get(measure)) for name in names)
        yield f"| {measure} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"Means with 95 % bootstrap intervals. * differs from {names[0]} with p < {alpha:g}, by sign flips of the "
        "paired differences, corrected for the number of differences (Holm)."
    )


def _cell(measure: Mapping | None, difference: Mapping | None) -> str:
    if measure is None:
        return "-"
    mark = " *" if difference and difference["significant"] else ""
    change = f" ({difference['value']:+.3g})" if difference else ""
    return f"{measure['value']:.4g} [{measure['low']:.4g}, {measure['high']:.4g}]{change}{mark}"
