"""Finds evaluations on the disk: by their folders, or by what was made of them or led to them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.comparing.origins import read_report
from ryven_llm_nodes.run.records.history import PastRun, past_run
from ryven_llm_nodes.run.store.kept import Kept, kept_below, kept_in
from ryven_llm_nodes.run.store.links import STORE, entry_of

TAKEN = ("alpha", "baseline")
"""Names that mean something else in a comparison."""
WANTED = "give the folder of an evaluation, of a comparison, of a model that was evaluated, of a run, or of outputs"


def evaluations_at(places: Iterable[Path]) -> dict[str, Path]:
    """The evaluations that ``places`` stand for, each once, by names that tell them apart. Raises UsageError."""
    folders = dict.fromkeys(folder for place in places for folder in _at(place))
    if not folders:
        raise UsageError(f"nothing to compare: {WANTED}.")
    names = {folder: _name(folder) for folder in folders}
    found: dict[str, Path] = {}
    for folder, name in names.items():
        if list(names.values()).count(name) > 1 or name in TAKEN:
            name = f"{_output_dir(folder).name}/{name}"
        count = sum(other == name or other.startswith(f"{name} #") for other in found)
        found[f"{name} #{count + 1}" if count else name] = folder
    return found


def evaluations_of(runs: Iterable[PastRun]) -> dict[str, Path]:
    """The evaluations of ``runs``, each once, by the names of their runs and stages."""
    found: dict[Path, str] = {}
    for run in runs:
        for stage in run.stages:
            folder = Path(os.path.realpath(run.folder_of(stage))) if run.folder_of(stage) else None
            if folder is not None and is_evaluation(folder):
                found.setdefault(folder, f"{run.label.name or run.folder.name} / {stage}")
    names = list(found.values())
    double = {name for name in names if names.count(name) > 1}
    return {
        f"{name} #{place}" if name in double else name: folder for place, (folder, name) in enumerate(found.items())
    }


def evaluations_by_seed(places: Iterable[Path]) -> dict[str, list[Path]]:
    """The evaluations that ``places`` stand for by their names, which are those of models; each as often as any other.

    Raises UsageError.
    """
    found: dict[str, list[Path]] = {}
    for folder in evaluations_at(places).values():
        found.setdefault(_name(folder), []).append(folder)
    counts = {len(folders) for folders in found.values()}
    if len(counts) > 1 or counts == {1}:
        listed = ", ".join(f"{name} ({len(folders)})" for name, folders in found.items())
        raise UsageError(f"--seeds needs several evaluations of each name, and as many of each; there are {listed}.")
    return found


def _at(place: Path) -> list[Path]:
    """The folders of the evaluations that ``place`` stands for."""
    if not place.is_dir():
        raise UsageError(f"{place} is not a folder; {WANTED}.")
    place = Path(os.path.realpath(place))
    kept, run = kept_in(place), past_run(place)
    if (place / "report.json").is_file():
        found = [place] if is_evaluation(place) else _compared(kept, place)
    elif run is not None:
        found = list(_of_run(run))
    elif kept is not None:
        found = list(_of_model(kept))
    else:
        found = list(_evaluations_in(place))
    if not found:
        raise UsageError(f"there is no evaluation in {place}, nor of it; {WANTED}.")
    return found


def is_evaluation(folder: Path) -> bool:
    """Whether ``folder`` holds a report of Evaluate."""
    try:
        return isinstance(read_report(folder).get("model"), dict)
    except (OSError, ValueError):
        return False


def _compared(kept: Kept | None, place: Path) -> list[Path]:
    """The evaluations that a comparison was made of."""
    inputs = kept.parts.get("inputs", {}) if kept else {}
    folders = [_entry(kept, outcome) for outcome in inputs.values()] if kept else []
    found = [folder for folder in folders if is_evaluation(folder)]
    if len(found) < max(len(folders), 1):
        raise UsageError(f"{place} is a comparison whose evaluations are not next to it; give their folders.")
    return found


def _entry(kept: Kept, outcome: str) -> Path:
    """The folder in the store of what an input of ``kept`` came from; ``outcome`` starts with its digest."""
    return entry_of(kept.output_dir, str(outcome))


def _of_run(run: PastRun) -> Iterator[Path]:
    folders = (Path(os.path.realpath(run.folder_of(stage))) for stage in run.stages if run.folder_of(stage))
    return (folder for folder in folders if is_evaluation(folder))


def _of_model(kept: Kept) -> Iterator[Path]:
    """The evaluations of the model that is cached as ``kept``, by the keys of what they were made from."""
    for other in kept_below(kept.output_dir):
        source = str(other.parts.get("inputs", {}).get("model", ""))
        if source.startswith(kept.digest) and is_evaluation(other.folder):
            yield other.folder


def _evaluations_in(folder: Path) -> Iterator[Path]:
    """Those in an output folder that have a name there."""
    named = sorted(path for path in folder.iterdir() if path.name != STORE and not path.name.startswith("."))
    return (Path(os.path.realpath(path)) for path in named if path.is_dir() and is_evaluation(path))


def _name(folder: Path) -> str:
    kept = kept_in(folder)
    return kept.names[-1] if kept and kept.names else folder.name


def _output_dir(folder: Path) -> Path:
    kept = kept_in(folder)
    return kept.output_dir if kept else folder.parent
