"""Puts the reports of several evaluations side by side, with what differs from the first more than by chance."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from .evaluation import differences_of
from .intervals import holm


def compare(alpha: float = 0.05, **reports: str) -> dict[str, object]:
    """The models of `reports`, folders of evaluations of the same rows, by name; all are compared with the first."""
    folders = {name: Path(folder) / "report.json" for name, folder in reports.items()}
    return comparison_table(
        {name: json.loads(file.read_text(encoding="utf-8")) for name, file in folders.items()}, alpha
    )


def comparison_table(found: Mapping[str, Mapping], alpha: float) -> dict[str, object]:
    """The same of the reports themselves.

    Differences are paired by row. They are significant where the p-value, corrected for the number of differences in
    the table (Holm, 1979), is below `alpha`. Models that were measured on other rows than the first have none.
    `markdown` holds the tables as text.
    """
    models, rows = {}, {}
    for name, source, measures in _models(found):
        models[name], rows[name] = measures, [found[source].get(key) for key in ("rows", "rows_sha256")]
    first, *others = models
    apart = [name for name in others if rows[name] != rows[first]]
    differences = {name: {} if name in apart else differences_of(models[first], models[name]) for name in others}
    pairs = [(name, measure) for name in others for measure in differences[name]]
    for (name, measure), p_value in zip(pairs, holm([differences[n][m]["p_value"] for n, m in pairs]), strict=True):
        differences[name][measure] |= {"corrected_p_value": p_value, "significant": p_value < alpha}
    table = {name: {m: _without_rows(v) for m, v in measures.items()} for name, measures in models.items()}
    lines = (*_lines(table, differences), *_difference_lines(first, differences), *_notes(first, apart, alpha))
    markdown = "\n".join(lines) + "\n"
    about = {"compared_with": first, "other_rows": apart, "alpha": alpha}
    return {"models": table, **about, "differences": differences, "markdown": markdown}


def _models(found: Mapping[str, Mapping]) -> Iterator[tuple[str, str, Mapping[str, Mapping]]]:
    """The baselines that differ, then the model of each report, each with the name of its report."""
    baselines = []
    for name, report in found.items():
        if "baseline" in report and report["baseline"] not in baselines:
            baselines.append(report["baseline"])
            yield ("baseline" if len(baselines) == 1 else f"baseline of {name}"), name, _measures(report["baseline"])
    for name, report in found.items():
        yield name, name, _measures(report["model"])


def _measures(values: Mapping) -> dict[str, Mapping]:
    return {name: value for name, value in values.items() if isinstance(value, Mapping)}


def _without_rows(measure: Mapping) -> dict[str, float]:
    return {key: measure[key] for key in ("value", "low", "high")}


def _lines(table: Mapping, differences: Mapping) -> Iterator[str]:
    """The table: a column for each model, a line for each measure."""
    names = list(table)
    measures = list(dict.fromkeys(measure for of_model in table.values() for measure in of_model))
    yield from _head(names)
    for measure in measures:
        cells = (_cell(table[name].get(measure), differences.get(name, {}).get(measure)) for name in names)
        yield f"| {measure} | {' | '.join(cells)} |"


def _difference_lines(first: str, differences: Mapping) -> Iterator[str]:
    """The differences from the first model, with intervals and corrected p-values."""
    names = [name for name in differences if differences[name]]
    measures = list(dict.fromkeys(measure for name in names for measure in differences[name]))
    if measures:
        yield from ("", f"Differences from {first}:", "", *_head(names))
    for measure in measures:
        cells = (_difference(differences[name].get(measure)) for name in names)
        yield f"| {measure} | {' | '.join(cells)} |"


def _head(names: list[str]) -> tuple[str, str]:
    return f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"


def _notes(first: str, apart: list[str], alpha: float) -> Iterator[str]:
    yield ""
    if apart:
        yield f"Measured on other rows than {first}, and not compared with it: {', '.join(apart)}."
    yield (
        f"Means with 95 % bootstrap intervals. * differs from {first} with p < {alpha:g}, by sign flips of the "
        "paired differences, corrected for the number of differences (Holm)."
    )


def _cell(measure: Mapping | None, difference: Mapping | None) -> str:
    if measure is None:
        return "-"
    mark = " *" if difference and difference["significant"] else ""
    change = f" ({difference['value']:+.3g})" if difference else ""
    return f"{_interval(measure)}{change}{mark}"


def _difference(difference: Mapping | None) -> str:
    if difference is None:
        return "-"
    mark = " *" if difference["significant"] else ""
    return f"{_interval(difference, '+')}, p = {difference['corrected_p_value']:.2g}{mark}"


def _interval(measure: Mapping, sign: str = "") -> str:
    return f"{measure['value']:{sign}.4g} [{measure['low']:{sign}.4g}, {measure['high']:{sign}.4g}]"
