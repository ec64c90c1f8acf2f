"""What earlier runs have left in an output folder, and whether it can be used again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.files import write_whole
from ryven_llm_nodes.run.keys import Key

RECORD: Final = "stage.json"
FINISHED: Final = "finished"
"""The marker that the script itself writes once a stage's model is saved (runtime/checkpoints.py)."""


@dataclass(frozen=True)
class Kept:
    """A stage's folder as it was left: the parts of its key, when it was begun, and whether it was finished."""

    folder: Path
    parts: Mapping[str, Any]
    digest: str
    since: str
    finished: bool

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def delete(self) -> None:
        """Removes the stage's folder with all that it holds. Raises UsageError where that is not permitted."""
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise UsageError(f"cannot delete {self.folder}: {error.strerror}.") from error


def kept_in(folder: Path) -> Kept | None:
    """What is recorded in a stage's ``folder``, or None where nothing is, or nothing readable."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        finished = (folder / FINISHED).is_file() and (folder / "config.json").is_file()
        return Kept(folder, dict(record["parts"]), str(record["digest"]), str(record["since"]), finished)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_kept(output_dir: Path) -> Iterator[Kept]:
    """Every stage that is kept below ``output_dir``."""
    for record in sorted(output_dir.glob(f"*/{RECORD}")):
        if (kept := kept_in(record.parent)) is not None:
            yield kept


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
            return Decision("reuse", f"nothing it depends on changed since {kept.since}")
        return Decision("resume", "goes on where it was stopped") if _has_checkpoint(folder) else Decision("train")
    if key.extends(kept.parts) and _has_checkpoint(folder):
        return Decision("resume", f"goes on from its end: {'; '.join(key.differences(kept.parts))}")
    return Decision("train", "; ".join(key.differences(kept.parts)))


def _has_checkpoint(folder: Path) -> bool:
    return any((folder / "checkpoints").glob("checkpoint-*"))


def prepare(folder: Path, key: Key, decision: Decision) -> None:
    """Makes ``folder`` ready for what was decided, and records the key that it will belong to.

    Raises UsageError where the folder cannot be written.
    """
    if decision.action == "reuse":
        return
    (folder / FINISHED).unlink(missing_ok=True)
    if decision.action == "train":
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    record = {"digest": key.digest, "since": since, "parts": key.parts}
    write_whole(folder / RECORD, json.dumps(record, indent=2, sort_keys=True, default=repr) + "\n")
