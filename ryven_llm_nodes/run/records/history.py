"""The run history: records of earlier runs, read from disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from ryven_llm_nodes.errors import UsageError, shown, suggestion
from ryven_llm_nodes.program import Graph, read_flow
from ryven_llm_nodes.run.records.labels import Label, label_of
from ryven_llm_nodes.run.records.record import RECORDS, SUMMARY, read_lines
from ryven_llm_nodes.run.store.alone import is_taken
from ryven_llm_nodes.run.store.links import entry_name, entry_of

Points: TypeAlias = list[tuple[int, float]]
"""A curve: optimizer steps and values."""


@dataclass(frozen=True)
class PastRun:
    """One run, from its record in ``folder``; ``summary`` is the content of ``run.json``."""

    folder: Path
    summary: Mapping[str, Any]

    @property
    def output_dir(self) -> Path:
        """Where its models were written."""
        return self.folder.parent.parent

    @property
    def name(self) -> str:
        """Its name on the command line: output folder and time."""
        return f"{self.output_dir.name}/{self.folder.name}"

    @property
    def flow(self) -> str:
        """The title of its flow."""
        return str(self.summary.get("flow", ""))

    @property
    def began(self) -> str:
        """Date and time, to the minute."""
        return str(self.summary.get("began", ""))[:16].replace("T", " ")

    @property
    def seconds(self) -> float:
        """How long it took, as far as it was recorded."""
        return _number(self.summary.get("seconds")) or 0.0

    @cached_property
    def status(self) -> str:
        """done, failed, cancelled, aborted, running; or killed: it ended without writing a status."""
        status = str(self.summary.get("status", ""))
        return "killed" if status == "running" and not is_taken(self.output_dir) else status

    @cached_property
    def label(self) -> Label:
        """The name and the note that the user has given it."""
        return label_of(self.folder)

    @property
    def error(self) -> list[str]:
        """Its errors, one line per problem."""
        lines = self.summary.get("error")
        return [str(line) for line in lines] if isinstance(lines, list) else []

    @property
    def warnings(self) -> list[str]:
        """Its warnings, one line each."""
        items = self.summary.get("warnings")
        return [str(w["text"]) for w in items if isinstance(w, dict) and "text" in w] if isinstance(items, list) else []

    @property
    def stages(self) -> dict[str, Mapping[str, Any]]:
        """Its trainers in their order: label, state, done and total steps, seconds, folder."""
        return {name: stage for name, stage in self._table("stages").items() if isinstance(stage, dict)}

    def tracking(self, stage: str) -> dict[str, str]:
        """The services that a stage reported to, each with an address or a folder."""
        found = self.stages.get(stage, {}).get("tracking")
        return {str(name): str(place) for name, place in found.items()} if isinstance(found, dict) else {}

    def state(self, stage: str) -> str:
        """How a stage stands, in a word or two."""
        about = self.stages.get(stage, {})
        state = str(about.get("state", "not begun"))
        state = self.status if state == "running" else state
        done, total = _number(about.get("done")), _number(about.get("total"))
        return f"{state} ({done:.0f} of {total:.0f})" if done is not None and total and done < total else state

    def folder_of(self, stage: str) -> str:
        """Where the model of a stage lies: under its name, or under its key if the name now leads to another model."""
        about = self.stages.get(stage, {})
        if not about.get("folder"):
            return ""
        named, digest = self.output_dir / str(about["folder"]), str(about.get("digest", ""))
        entry = entry_of(self.output_dir, digest)
        return str(entry if digest and entry_name(named) != entry.name and entry.is_dir() else named)

    @property
    def machine(self) -> dict[str, str]:
        """What the weights depend on besides versions: the number of torch's threads, the kind of processor."""
        return {str(name): str(value) for name, value in self._table("machine").items()}

    @property
    def versions(self) -> Mapping[str, str]:
        """Those of Python and the libraries."""
        return self._table("versions")

    @property
    def data(self) -> Mapping[str, Any]:
        """By source: files with sha256, rows, columns."""
        return self._table("data")

    def _table(self, name: str) -> Mapping[str, Any]:
        """A part of the summary; a record may be damaged."""
        table = self.summary.get(name)
        return table if isinstance(table, dict) else {}

    def metrics(self, stage: str) -> dict[str, Points]:
        """The curves of a stage by the metric's name."""
        curves: dict[str, Points] = {}
        for line in read_lines(self.folder / "metrics" / f"{stage}.jsonl"):
            for name, value in line.items():
                if name != "step" and (number := _number(value)) is not None:
                    curves.setdefault(name, []).append((int(_number(line.get("step")) or 0), number))
        return curves

    def completions(self, stage: str) -> Iterator[Mapping[str, Any]]:
        """The samples of a stage: step, reward, prompt, completion, score."""
        return read_lines(self.folder / "completions" / f"{stage}.jsonl")

    def graph(self) -> Graph:
        """Its flow. Raises FlowError."""
        return read_flow(self.folder)

    def delete(self) -> None:
        """Removes the record; models stay. Raises UsageError if that is not possible."""
        if self.status == "running":
            raise UsageError(f"{self.name} is still running; its record can be deleted after it has ended.")
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise UsageError(f"cannot delete {self.folder}: {error.strerror}.") from error


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def past_run(folder: Path) -> PastRun | None:
    """The run whose record is ``folder``, or None."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return PastRun(folder, summary) if isinstance(summary, dict) else None


def past_runs(folder: Path) -> list[PastRun]:
    """Every run into ``folder`` or an output folder in it, newest first."""
    places = [*folder.glob(f"{RECORDS}/*/"), *folder.glob(f"*/{RECORDS}/*/")]
    runs = [run for place in places if (run := past_run(place.absolute())) is not None]
    return sorted(runs, key=lambda run: (str(run.summary.get("began")), run.folder.name), reverse=True)


def find_run(folder: Path, which: str) -> PastRun:
    """The run that ``which`` refers to: its number in :func:`past_runs` from 1, a name or part of it, or its folder.

    Raises UsageError if there is none, or several.
    """
    if (given := past_run(Path(which))) is not None:
        return given
    runs = past_runs(folder)
    if which.isdecimal() and 0 < int(which) <= len(runs):
        return runs[int(which) - 1]
    found = [run for run in runs if which in run.name or which == run.label.name]
    if len(found) == 1:
        return found[0]
    near = suggestion(which, [run.name for run in runs])
    raise UsageError(f"{'several runs match' if found else 'no run matches'} {shown(which)} in {folder}.{near}")
