"""Evaluations, the table made of them, and what led to each model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.imports import Imports
from ryven_llm_nodes.program.runtime_source import excerpts
from ryven_llm_nodes.run.comparing.origins import Origin, origin_of, read_report
from ryven_llm_nodes.run.comparing.seeds import over_seeds, pooled_report

BASELINE: Final = "baseline"
COLUMNS: Final = (
    *("model", "measure", "value", "low", "high"),
    *("difference", "difference_low", "difference_high", "p_value", "corrected_p_value", "significant", "better"),
)
"""The columns of the table as CSV: a line for each measure of each model."""


@dataclass(frozen=True)
class Comparison:
    """The evaluations in ``folders``, by name, and the ``table`` that the node Compare makes of them.

    ``reports`` are their contents.
    """

    folders: Mapping[str, Path]
    table: Mapping[str, Any]
    reports: Mapping[str, Mapping[str, Any]]
    over_seeds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How the differences of each model vary with the seed, by measure, if there are several trainings of each."""

    @cached_property
    def origins(self) -> dict[str, Origin | None]:
        """How each evaluation came about, as far as it was recorded."""
        return {name: origin_of(folder) for name, folder in self.folders.items()}

    @property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """The measures of each model, by name; baselines come first."""
        return self.table["models"]

    @property
    def measures(self) -> list[str]:
        """All measures, in their order."""
        return list(dict.fromkeys(measure for measures in self.models.values() for measure in measures))

    def difference(self, model: str, measure: str) -> Mapping[str, Any] | None:
        """How ``model`` differs from the first one in ``measure``, if that could be told."""
        return self.table["differences"].get(model, {}).get(measure)

    def values(self, model: str) -> Mapping[str, Any]:
        """The full measures of a model, with those of each row and its completions."""
        if model in self.reports:
            return self.reports[model]["model"]
        named = model.removeprefix(f"{BASELINE} of ")
        report = self.reports.get(named) or next(report for report in self.reports.values() if BASELINE in report)
        return report[BASELINE]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The table as lines of :data:`COLUMNS`."""
        for model, measures in self.models.items():
            for measure, value in measures.items():
                of = self.difference(model, measure) or {}
                interval = (value[key] for key in ("value", "low", "high"))
                change = (of.get(key) for key in ("value", "low", "high"))
                rest = (of.get(key) for key in ("p_value", "corrected_p_value", "significant", "better"))
                yield model, measure, *interval, *change, *rest


def comparison_of(folders: Mapping[str, Path], alpha: float = 0.05) -> Comparison:
    """The evaluations in ``folders`` side by side, by the function that Compare runs. Raises UsageError."""
    return _compared(folders, {name: _evaluation_in(folder) for name, folder in folders.items()}, alpha)


def comparison_over_seeds(folders: Mapping[str, Sequence[Path]], alpha: float = 0.05) -> Comparison:
    """The same of several trainings of each model: values of rows are means over them. Raises UsageError.

    ``over_seeds`` of the result says how the differences vary from one training to the next.
    """
    reports = {name: [_evaluation_in(folder) for folder in of_name] for name, of_name in folders.items()}
    measure = runtime_function("evaluation", "measure")
    pooled = {name: pooled_report(of_name, measure) for name, of_name in reports.items()}
    found = _compared({name: of_name[0] for name, of_name in folders.items()}, pooled, alpha)
    single = [
        _compared({}, {name: of_name[seed] for name, of_name in reports.items()}, alpha)
        for seed in range(len(next(iter(reports.values()))))
    ]
    return replace(found, over_seeds=over_seeds([one.table["differences"] for one in single]))


def _compared(folders: Mapping[str, Path], reports: Mapping[str, Mapping[str, Any]], alpha: float) -> Comparison:
    return Comparison(folders, runtime_function("comparison", "comparison_table")(reports, alpha), reports)


def comparison_from(folders: Mapping[str, Path], table: Mapping[str, Any]) -> Comparison:
    """The same where the table is there already."""
    return Comparison(folders, table, {name: read_report(folder) for name, folder in folders.items()})


def _evaluation_in(folder: Path) -> dict[str, Any]:
    try:
        report = read_report(folder)
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no report that can be read: {error}.") from error
    if not isinstance(report.get("model"), dict):
        raise UsageError(f"{folder / 'report.json'} is not a report of Evaluate; give folders of evaluations.")
    return report


def runtime_function(module: str, name: str) -> Callable[..., Any]:
    """A function of the runtime, from the same source that a script contains: it imports nothing of this package."""
    parts = excerpts([(module, name)])
    imports = Imports(line for part in parts for line in part.imports)
    text = "\n\n".join([imports.text, *(part.code for part in parts)])
    made_of = ModuleType(f"ryven_llm_{module}")
    exec(compile(text, f"<{made_of.__name__}>", "exec", dont_inherit=True), made_of.__dict__)
    return made_of.__dict__[name]


def verdict(comparison: Comparison, model: str) -> dict[str, Sequence[str]]:
    """The measures in which ``model`` is ``better`` or ``worse`` than the first, by more than chance, and the rest.

    With several seeds, the interval over them has to exclude 0 as well.
    """
    found: dict[str, list[str]] = {"better": [], "worse": [], "same": []}
    for measure in comparison.measures:
        if of := comparison.difference(model, measure):
            found[outcome(of) if _holds_over_seeds(comparison, model, measure) else "same"].append(measure)
    return found


def _holds_over_seeds(comparison: Comparison, model: str, measure: str) -> bool:
    """Whether the interval over seeds excludes 0, if there are several."""
    of = comparison.over_seeds.get(model, {}).get(measure)
    return of is None or of["low"] > 0 or of["high"] < 0


def outcome(difference: Mapping[str, Any]) -> str:
    """Whether a difference is for the ``better`` or for the ``worse``, or the ``same`` as none."""
    if not difference["significant"]:
        return "same"
    return "better" if (difference["value"] > 0) == (difference["better"] == "higher") else "worse"


def notes_of(comparison: Comparison) -> Iterator[str]:
    """What the table's text says below it."""
    lines = comparison.table["markdown"].splitlines()
    end = max(i for i, line in enumerate(lines) if not line)
    yield from lines[end + 1 :]
