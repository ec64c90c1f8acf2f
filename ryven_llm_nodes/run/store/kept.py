"""What earlier runs have left in an output folder, and whether it can be used again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.store.alone import is_taken
from ryven_llm_nodes.run.store.inputs import FINISHED, RECORD
from ryven_llm_nodes.run.store.keys import Key
from ryven_llm_nodes.system.files import write_whole

__all__ = ["FINISHED", "RECORD"]


@dataclass(frozen=True)
class Kept:
    """A stage's folder as it was left: the parts of its key, when it was begun, and whether it was finished."""

    folder: Path
    parts: Mapping[str, Any]
    digest: str
    since: str
    finished: bool
    ended_at: tuple[int, int] | None = None
    """The step at which training was ended early and the model kept, and how many there were to be."""
    records: tuple[str, ...] = ()
    """The records of the runs that trained it, newest last: several where it went on."""

    @property
    def state(self) -> str:
        """In words: finished, stopped, or ended early and kept."""
        if not self.finished:
            return "stopped"
        return f"ended at step {self.ended_at[0]} of {self.ended_at[1]}" if self.ended_at else "finished"

    @property
    def size(self) -> int:
        """Bytes on the disk; a run may be removing a checkpoint just now."""
        total = 0
        for file in self.folder.rglob("*"):
            with suppress(FileNotFoundError):
                total += file.lstat().st_size if not file.is_dir() else 0
        return total

    def delete(self) -> None:
        """Removes the stage's folder with all that it holds. Raises UsageError where that cannot be."""
        if is_taken(self.folder.parent):
            what = f"a run is writing to {self.folder.parent} just now"
            raise UsageError(f"{what}; delete {self.folder.name} after its end.")
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise UsageError(f"cannot delete {self.folder}: {error.strerror}.") from error


def kept_in(folder: Path) -> Kept | None:
    """What is recorded in a stage's ``folder``, or None where nothing is, or nothing readable."""
    try:
        record = dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
        finished = (folder / FINISHED).is_file() and any(folder.glob("*.safetensors"))
        early = record.get("ended at")
        ended_at = (int(early[0]), int(early[1])) if early else None
        records = tuple(map(str, record.get("records", ())))
        parts, digest, since = dict(record["parts"]), str(record["digest"]), str(record["since"])
        return Kept(folder, parts, digest, since, finished, ended_at, records)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def all_kept(output_dir: Path) -> Iterator[Kept]:
    """Every stage that is kept below ``output_dir``."""
    for record in sorted(output_dir.glob(f"*/{RECORD}")):
        if (kept := kept_in(record.parent)) is not None:
            yield kept


def kept_below(folder: Path) -> Iterator[Kept]:
    """Every stage that is kept in ``folder``, or in an output folder in it."""
    for place in (folder, *sorted(folder.glob("*/"))):
        yield from all_kept(place)


def delete_all(items: Iterable[Any]) -> list[str]:
    """Deletes stages or records, each with its ``delete``; returns what went wrong, a line an item."""
    failures = []
    for item in items:
        try:
            item.delete()
        except UsageError as error:
            failures.append(str(error))
    return failures


@dataclass(frozen=True)
class Decision:
    """What to do with a stage: ``reuse`` its folder, ``resume`` from its newest checkpoint, or ``train`` it anew.

    ``reason`` says why, in words for the user; it is empty for a stage that is simply new.
    """

    action: str
    reason: str = ""


def decide(folder: Path, key: Key, fresh: bool) -> Decision:
    """What to do with the stage of ``key`` in ``folder``."""
    kept = None if fresh else kept_in(folder)
    if kept is None:
        return Decision("train")
    if kept.digest == key.digest:
        if kept.finished:
            return Decision("reuse", _why(kept))
        return Decision("resume", "goes on where it was stopped") if newest_step(folder) else Decision("train")
    if key.first_part is not None and key.first_part.digest == kept.digest and newest_step(folder):
        return Decision("resume", "goes on from what is kept of it without extra_steps")
    return Decision("train", key.why_anew(kept.parts))


def _why(kept: Kept) -> str:
    if kept.ended_at is None:
        return f"nothing it depends on changed since {kept.since}"
    step, total = kept.ended_at
    early = f"kept on {kept.since}, when it was ended at step {step} of {total}"
    return f"{early}; --fresh, or Run Afresh, trains it in full"


def ending(folder: Path, key: Key) -> str:
    """How the training of ``key`` ended in ``folder``, where it was ended early; else nothing."""
    kept = kept_in(folder)
    return f"@{kept.ended_at[0]}" if kept and kept.ended_at and kept.digest == key.digest else ""


def note_end(folder: Path, step: int, total: int) -> None:
    """Notes in ``folder`` that its stage is ended early, at ``step`` of ``total``, before its model is saved."""
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    _write_record(folder, record | {"ended at": [step, total]})


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    write_whole(folder / RECORD, json.dumps(record, indent=2, sort_keys=True, default=repr) + "\n")


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint in a stage's ``folder``; 0 where there is none."""
    names = (path.name.partition("-")[2] for path in (folder / "checkpoints").glob("checkpoint-*"))
    return max((int(number) for number in names if number.isdecimal()), default=0)


def prepare(folder: Path, key: Key, decision: Decision, record: str = "") -> None:
    """Makes ``folder`` ready for what was decided, and notes the key that it will belong to, and the run's ``record``.

    Raises UsageError where the folder cannot be written.
    """
    if decision.action == "reuse":
        return
    (folder / FINISHED).unlink(missing_ok=True)
    if decision.action == "train":
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    before = kept_in(folder) if decision.action == "resume" else None
    records = [*(before.records if before else ()), *([record] if record else [])]
    _write_record(folder, {"digest": key.digest, "since": since, "parts": key.parts, "records": records})
