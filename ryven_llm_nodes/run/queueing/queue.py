"""The queue of flows: a file of the user's, which survives a restart, and may be used by several editors at a time."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program import Graph, Program, build
from ryven_llm_nodes.program.project import graph_of_project, project_of
from ryven_llm_nodes.run.states import ENDS, RunState
from ryven_llm_nodes.system.files import write_whole
from ryven_llm_nodes.system.processes import birth
from ryven_llm_nodes.system.userdirs import state_dir

FILE: Final = "queue.json"
LOCK: Final = ".queue.lock"
PATIENCE: Final = 10.0
"""Seconds that another editor may take to change the queue."""


@dataclass(frozen=True)
class Queued:
    """A flow in the queue, as it was drawn when it was queued.

    ``project`` is the flow, whose relative paths are looked up in ``root``, ``output`` its output folder. ``status`` is
    a state of a run; ``runner`` tells the process that runs it.
    """

    title: str
    project: Mapping[str, Any]
    root: str
    source: str
    output: str
    added: str = ""
    status: str = RunState.NOT_BEGUN
    error: str = ""
    runner: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def waits(self) -> bool:
        """Whether it is still to be run."""
        return self.status == RunState.NOT_BEGUN

    @property
    def has_ended(self) -> bool:
        """Whether it was run."""
        return self.status in ENDS

    def program(self) -> Program:
        """Its program. Raises FlowError."""
        return build(graph_of_project(dict(self.project), Path(self.root), self.source))


def queued(graph: Graph, output_dir: Path) -> Queued:
    """``graph`` as an entry of the queue."""
    project = project_of(graph, graph.root)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Queued(graph.title, project, str(graph.root), graph.source, str(output_dir.absolute()), now)


class Queue:
    """The queue in ``folder``, the user's by default. Each method reads the file, and replaces it atomically.

    Raises LLMNodesError where it cannot be written; it is then unchanged.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_dir()
        self.file = self._folder / FILE

    def entries(self) -> list[Queued]:
        """All entries in their order; one whose editor has ended while it ran waits again."""
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return []
        items = data.get("queue") if isinstance(data, dict) else None
        found = (_entry(item) for item in (items if isinstance(items, list) else []))
        return [_alive(one) for one in found if one is not None]

    def add(self, entry: Queued) -> None:
        """Appends ``entry``."""
        with self._changing() as (entries, write):
            write([*entries, entry])

    def remove(self, *ids: str) -> None:
        """Removes entries, except those that are running."""
        with self._changing() as (entries, write):
            write([one for one in entries if one.id not in ids or one.status == RunState.RUNNING])

    def move(self, id: str, by: int) -> None:
        """Moves an entry ``by`` places down, or up."""
        with self._changing() as (entries, write):
            place = next((place for place, one in enumerate(entries) if one.id == id), None)
            if place is not None:
                moved = entries.pop(place)
                entries.insert(min(max(place + by, 0), len(entries)), moved)
                write(entries)

    def begin_next(self) -> Queued | None:
        """The first entry that waits, which is running in this process from now on; None if there is none.

        Only one entry runs at a time: None, too, while another editor runs one.
        """
        with self._changing() as (entries, write):
            if any(one.status == RunState.RUNNING for one in entries):
                return None
            entry = next((one for one in entries if one.waits), None)
            if entry is not None:
                entry = replace(entry, status=RunState.RUNNING, runner=_this_process(), error="")
                write([entry if one.id == entry.id else one for one in entries])
            return entry

    def end(self, id: str, status: str, error: str = "") -> None:
        """Notes how an entry has ended; ``not begun`` puts it back."""
        with self._changing() as (entries, write):
            write([replace(one, status=status, error=error, runner="") if one.id == id else one for one in entries])

    @contextmanager
    def _changing(self) -> Iterator[tuple[list[Queued], Callable[[list[Queued]], None]]]:
        """The entries, and what writes them, while no other editor does."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            from filelock import FileLock

            with FileLock(self._folder / LOCK, timeout=PATIENCE):
                yield self.entries(), self._write
        except OSError as error:  # filelock's Timeout is one, too
            raise LLMNodesError(f"cannot change the queue {self.file}: {error.strerror or error}.") from error

    def _write(self, entries: list[Queued]) -> None:
        text = json.dumps({"queue": [asdict(one) for one in entries]}, ensure_ascii=False)
        write_whole(self.file, text.encode("utf-8", "backslashreplace").decode(), private=True)


def _entry(item: Any) -> Queued | None:
    """An entry of the file; None for what is none."""
    names = Queued.__dataclass_fields__
    if not isinstance(item, dict) or not isinstance(item.get("project"), dict):
        return None
    texts = {name: item[name] for name in names if name != "project" and isinstance(item.get(name), str)}
    try:
        return Queued(project=item["project"], **texts)
    except TypeError:  # a field is missing
        return None


def _this_process() -> str:
    return f"{os.getpid()} {birth(os.getpid())}"


def _alive(entry: Queued) -> Queued:
    """``entry``, which waits again if the process that ran it is gone."""
    pid, _, born = entry.runner.partition(" ")
    is_there = pid.isdecimal() and birth(int(pid)) == born
    is_lost = entry.status == RunState.RUNNING and not is_there
    return replace(entry, status=RunState.NOT_BEGUN, runner="") if is_lost else entry
