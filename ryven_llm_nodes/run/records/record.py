"""The record of a run: a folder with its flow, script, versions, data, metrics, samples, and outcome."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ryven_llm_nodes.errors import Cancelled, LLMNodesError, UsageError, one_line
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.carried import CARRIED_FILE
from ryven_llm_nodes.program.project import project_of, write_project
from ryven_llm_nodes.run.events import (
    Completions,
    Event,
    Listener,
    Log,
    Metrics,
    Progress,
    StageFailed,
    StageFinished,
    StageReused,
    StageStarted,
    Tracked,
    Warned,
)
from ryven_llm_nodes.run.store.kept import kept_in
from ryven_llm_nodes.run.store.keys import Key, versions
from ryven_llm_nodes.system.files import write_whole

RECORDS: Final = "run-records"
"""The folder of records below an output folder; no stage can have this name."""

SUMMARY: Final = "run.json"
SCRIPT: Final = "script.py"
LARGEST_FILE: Final = 256 * 2**20
"""Bytes of samples that are kept of one stage."""


SUMMARY_SECONDS: Final = 10.0
"""How outdated the step counts in ``run.json`` may be after a crash."""


class Record:
    """Writes the record of one run; a context manager, whose exit records how the run ended.

    In its folder: ``run.json`` (status, error, times, versions, data, stages), ``flow.json``, ``script.py``,
    ``log.txt``, and by stage ``metrics/<stage>.jsonl`` and ``completions/<stage>.jsonl``, one line per sample.
    If it cannot be created, UsageError is raised; if it cannot be continued, the log says so, and the run
    continues.
    """

    def __init__(self, program: Program, output_dir: Path, listen: Listener) -> None:
        self.output_dir, self.listen = output_dir, listen
        self.folder = _new_folder(output_dir / RECORDS)
        self._is_open, self._written = True, 0.0
        graph = program.graph
        write_project(project_of(graph, self.folder), self.folder / CARRIED_FILE)
        write_whole(self.folder / SCRIPT, program.script_for(self.folder).text)
        stages = {step.name: {"label": step.label} for step in program.steps if step.node.is_stage}
        self.summary: dict[str, Any] = {
            "flow": graph.title,
            "source": graph.source,
            "digest": graph.digest,
            "status": "running",
            "error": [],
            "began": _now().isoformat(timespec="seconds"),
            "seconds": 0.0,
            "versions": versions(),
            "machine": {},
            "data": {},
            "warnings": [],
            "stages": stages,
        }
        self._began = _now()

    def __enter__(self) -> Record:
        self._write_summary()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.summary["status"] = _status(error)
        self.summary["error"] = str(error).split("\n") if isinstance(error, LLMNodesError) else []
        for stage in self.summary["stages"].values():
            if stage.get("state") == "running":
                stage["state"] = self.summary["status"]
        self._safely(self._write_summary)

    def add_machine(self) -> None:
        """Notes what else the weights depend on, once torch is loaded: sums are split across its threads."""
        torch = sys.modules["torch"]
        self.summary["machine"] = {"threads": str(torch.get_num_threads()), "processor": platform.machine()}

    def add_data(self, step: Step, key: Key, loaded: Iterable[Any]) -> None:
        """Notes what the source ``step`` has loaded: its files with their sha256; of datasets, rows and columns."""
        noted: dict[str, Any] = {"files": dict(key.files)}
        for data in loaded:
            noted |= {"rows": len(data), "columns": list(data.column_names)}
            noted["files"] |= _hub_files(data)
        self.summary["data"][step.name] = noted

    def add_key(self, step: Step, key: Key) -> None:
        """Notes the key of a stage: its folder is ``store/`` and the first 16 digits, wherever its name leads."""
        self._safely(lambda: self._note(step.name, digest=key.digest))

    def take(self, event: Event) -> None:
        """Records an event."""
        handler = getattr(self, f"_on_{type(event).__name__}", None)
        if handler is not None:
            self._safely(lambda: handler(event))

    def _safely(self, write: Any) -> None:
        """A failing record must not fail the run."""
        if not self._is_open:
            return
        try:
            write()
        except (OSError, UsageError) as error:
            self._is_open = False
            self.listen(Log("", f"the record of this run is incomplete: {one_line(str(error))}"))

    # Events

    def _on_Log(self, event: Log) -> None:
        self._say(event.text)

    def _on_Warned(self, event: Warned) -> None:
        self._say(f"{event.weight}: {event.text}")
        names = ("step", "parameter", "text", "weight", "row")
        self.summary["warnings"].append({name: getattr(event, name) for name in names})
        self._write_summary()

    def _on_StageStarted(self, event: StageStarted) -> None:
        if event.step in self.summary["stages"]:
            self._say(f"{event.step}: begins")
            self._note(event.step, state="running")

    def _on_Progress(self, event: Progress) -> None:
        stage = self.summary["stages"].get(event.step, {})
        begins = "total" not in stage
        stage |= {"done": event.done, "total": event.total}
        if begins and event.done:  # it resumes from there
            self._take_earlier(event.step, event.done)
        if begins or time.monotonic() - self._written > SUMMARY_SECONDS:
            self._write_summary()

    def _on_Metrics(self, event: Metrics) -> None:
        self._append("metrics", event.step, {"step": event.done, **event.values})

    def _on_Tracked(self, event: Tracked) -> None:
        self._say(f"{event.step}: reports to {event.service} {event.place}")
        if stage := self.summary["stages"].get(event.step):
            self._note(event.step, tracking={**stage.get("tracking", {}), event.service: event.place})

    def _on_Completions(self, event: Completions) -> None:
        samples = zip(event.prompts, event.completions, event.scores, strict=False)
        names = ("prompt", "completion", "score")
        start = {"step": event.done, "reward": event.reward}
        self._append("completions", event.step, *(start | dict(zip(names, s, strict=True)) for s in samples))

    def _on_StageFinished(self, event: StageFinished) -> None:
        if event.folder:
            self._say(f"{event.step}: done in {event.seconds:.1f} s: {event.folder}")
        self._note(event.step, state="done", seconds=round(event.seconds, 1), folder=self._relative(event.folder))

    def _on_StageReused(self, event: StageReused) -> None:
        self._say(f"{event.step}: reused: {event.reason}")
        self._take_earlier(event.step)
        self._note(event.step, state="reused", reason=event.reason, folder=self._relative(event.folder))

    def _on_StageFailed(self, event: StageFailed) -> None:
        self._say(f"{event.message}\n{event.details}")
        self._note(event.step, state="failed")

    # Files

    def _note(self, step: str, **what: Any) -> None:
        if step in self.summary["stages"]:
            self.summary["stages"][step] |= what
            self._write_summary()

    def _relative(self, folder: str) -> str:
        """A folder in the output folder as a relative path: records move with it."""
        return folder.removeprefix(f"{self.output_dir}{os.sep}")

    def _write_summary(self) -> None:
        self._written = time.monotonic()
        self.summary["seconds"] = round((_now() - self._began).total_seconds(), 1)
        write_whole(self.folder / SUMMARY, json.dumps(self.summary, indent=2, default=repr) + "\n")

    def _say(self, text: str) -> None:
        with (self.folder / "log.txt").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{_now():%H:%M:%S} {text.rstrip()}\n")

    def _append(self, kind: str, step: str, *lines: Mapping[str, Any]) -> None:
        path = self.folder / kind / f"{step}.jsonl"
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() < LARGEST_FILE:
                file.write("".join(f"{json.dumps(line)}\n" for line in lines))

    def _take_earlier(self, step: str, until: int | None = None) -> None:
        """Copies what earlier runs logged and sampled of a stage before optimizer step ``until`` + 1."""
        written = self.output_dir / step / "metrics.jsonl"
        if written.is_file():
            (self.folder / "metrics").mkdir(exist_ok=True)
            shutil.copyfile(written, self.folder / "metrics" / f"{step}.jsonl")
        kept = kept_in(self.output_dir / step)
        earlier = [name for name in kept.records if name != self.folder.name] if kept else []
        if earlier:  # the newest includes what the earlier ones had
            lines = read_lines(self.folder.with_name(earlier[-1]) / "completions" / f"{step}.jsonl")
            for batch in in_batches(line for line in lines if until is None or _step(line) < until):
                self._append("completions", step, *batch)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every object in a JSONL file; none where there is no file. A line truncated by a crash is skipped."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with suppress(ValueError):
                    if isinstance(value := json.loads(line), dict):
                        yield value
    except OSError:
        return


def in_batches(lines: Iterable[dict[str, Any]], size: int = 1000) -> Iterator[list[dict[str, Any]]]:
    """``lines`` in chunks."""
    lines = iter(lines)
    while batch := list(islice(lines, size)):
        yield batch


def _step(line: Mapping[str, Any]) -> int:
    return line["step"] if isinstance(line.get("step"), int) else 0


def _now() -> datetime:
    return datetime.now().astimezone()


def _new_folder(records: Path) -> Path:
    """A folder named after the time, unique to this run."""
    name, count = f"{_now():%Y-%m-%d-%H%M%S}", 1
    try:
        while True:
            folder = records / (name if count == 1 else f"{name}-{count}")
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                count += 1
    except OSError as error:
        raise UsageError(f"cannot write to {records}: {error.strerror}; choose another --output-dir.") from error


def _status(error: BaseException | None) -> str:
    if error is None:
        return "done"
    return "failed" if isinstance(error, LLMNodesError) else "cancelled" if isinstance(error, Cancelled) else "aborted"


def _hub_files(loaded: Any) -> dict[str, str]:
    """The files of a Hub dataset; their addresses contain the commit."""
    checksums = getattr(getattr(loaded, "info", None), "download_checksums", None) or {}
    return {address: "" for address in checksums if address.startswith(("hf://", "https://"))}
