"""What to do with a stage: reuse it from the cache, resume from a checkpoint, or train it from scratch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.files import CHECKPOINTS, FINISHED
from ryven_llm_nodes.run.store.kept import (
    UNREADABLE,
    Kept,
    checkpoints_in,
    kept_in,
    note_manifest,
    read_record,
    step_of,
    write_record,
)
from ryven_llm_nodes.run.store.keys import Key
from ryven_llm_nodes.run.store.manifest import manifest_of, with_times_of

OWNER: Final = ".key"
"""In a checkpoint: the digest of the key that it belongs to, and a digest that identifies its training.

A run writes it (execute/early_end.py). A script that writes to the folder of a run, with any settings, does not:
its checkpoints are not resumed from, and the model that it saves is not the one in the manifest.
"""
TELLING: Final = ("trainer_state.json", "scheduler.pt", "training_args.bin")
"""Small files of a checkpoint that differ after another training: logs, learning rates, settings."""


@dataclass(frozen=True)
class Decision:
    """What to do with a stage: ``reuse`` it, ``resume`` from its newest checkpoint, or ``train`` from scratch.

    ``reason`` says why, in words for the user; it is empty for a new stage. ``source`` is the folder whose
    checkpoints are resumed from, if that is another one. ``step`` is the step that it resumes from, ``total`` the
    planned number of steps, 0 where the checkpoint is of a shorter training.
    """

    action: str
    reason: str = ""
    source: Path | None = None
    step: int = 0
    total: int = 0

    @property
    def place(self) -> str:
        """Where it resumes, in words: ``step 403 of 1500``."""
        return f"step {self.step} of {self.total}" if self.total else f"step {self.step}"


def decide(folder: Path, key: Key, fresh: bool, before: Kept | None = None, first_part: Path | None = None) -> Decision:
    """What to do with the stage of ``key`` in ``folder``.

    ``before`` is where its name has led until now; ``first_part`` the folder of the same training without extra
    steps. Without them, both are what is in ``folder``.
    """
    if fresh:
        return Decision("train")
    kept = kept_in(folder)
    same = kept is not None and kept.digest == key.digest
    if kept is not None and same and kept.finished:
        return Decision("reuse", _why(kept))
    if kept is not None and same and (newest := newest_of(folder, key)):
        damaged = f"{kept.damage}, so training resumes from its newest checkpoint"
        reason = damaged if kept.damage else f"resumes from its checkpoint of step {newest}"
        return Decision("resume", reason, step=newest, total=_planned(folder, newest, key))
    source = first_part or folder
    if key.first_part is not None and (newest := newest_of(source, key.first_part)):
        other = source if source != folder else None
        return Decision("resume", "continues from the cached stage without extra_steps", other, newest)
    if kept is not None and same:
        return Decision("train", kept.damage)
    before = before or kept
    return Decision("train", key.why_retrained(before.parts) if before else "")


def _why(kept: Kept) -> str:
    if kept.ended_at is None:
        return f"nothing it depends on has changed since {kept.since}"
    step, total = kept.ended_at
    early = f"cached on {kept.since}, when it was ended early at step {step} of {total}"
    return f"{early}; --fresh, or Retrain All, trains it in full"


def newest_of(folder: Path, key: Key) -> int:
    """The step of the newest checkpoint in ``folder`` that the stage of ``key`` can resume from; 0 without one."""
    return max((step_of(path) for path in checkpoints_in(folder) if _belongs(path, key)), default=0)


def _belongs(checkpoint: Path, key: Key) -> bool:
    """Whether a checkpoint is one of ``key``, or of its first part, and was not overwritten."""
    digests = {key.digest, key.first_part.digest if key.first_part else key.digest}
    try:
        owner, _, content = (checkpoint / OWNER).read_text(encoding="utf-8").strip().partition(" ")
        return owner in digests and content == _content(checkpoint)
    except (OSError, ValueError):
        return False


def _planned(folder: Path, step: int, key: Key) -> int:
    """The length of the training of ``key``, as its checkpoint of ``step`` says; 0 where it is of the first part."""
    checkpoint = folder / CHECKPOINTS / f"checkpoint-{step}"
    try:
        if not (checkpoint / OWNER).read_text(encoding="utf-8").startswith(key.digest):
            return 0
        return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["max_steps"])
    except UNREADABLE:
        return 0


def mark(checkpoint: Path, digest: str) -> None:
    """Notes that a checkpoint belongs to the key with ``digest``."""
    (checkpoint / OWNER).write_text(f"{digest} {_content(checkpoint)}\n", encoding="utf-8")


def _content(checkpoint: Path) -> str:
    found = (checkpoint / name for name in TELLING)
    return hashlib.sha256(b"".join(path.read_bytes() for path in found if path.is_file())).hexdigest()


def prepare(folder: Path, key: Key, decision: Decision, record: str = "", name: str = "") -> None:
    """Prepares ``folder`` for what was decided, and notes the key that it will belong to, and the run's ``record``.

    ``name`` is what the stage is called. Raises UsageError where the folder cannot be written.
    """
    if decision.action == "reuse":
        _confirm(folder, name)
        return
    before = kept_in(decision.source or folder)
    (folder / FINISHED).unlink(missing_ok=True)
    if decision.action == "train":
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    earlier = before.records if before and decision.action == "resume" else ()
    records, names = [*earlier, *([record] if record else [])], _named(kept_in(folder), name)
    about = {"digest": key.digest, "since": since, "parts": key.parts, "records": records, "names": names}
    write_record(folder, about)
    if decision.source:
        _take_over(decision.source, folder)
    for checkpoint in checkpoints_in(folder):
        if not _belongs(checkpoint, key):
            shutil.rmtree(checkpoint)


def _named(kept: Kept | None, name: str) -> list[str]:
    """The names of a stage, newest last."""
    return [*(old for old in (kept.names if kept else ()) if old != name), *([name] if name else [])]


def _confirm(folder: Path, name: str) -> None:
    """Marks a finished stage as finished for the script too, also in a copied folder with changed file times."""
    kept = kept_in(folder)
    if kept is None or not kept.manifest:
        return
    (folder / FINISHED).touch()
    if (now := with_times_of(folder, kept.manifest)) != kept.manifest:
        note_manifest(folder, now)
    if name and kept.names[-1:] != (name,):
        write_record(folder, read_record(folder) | {"names": _named(kept, name)})


def _take_over(source: Path, folder: Path) -> None:
    """Gives ``folder`` the checkpoints and the metrics in ``source``, which keeps them; all or none."""
    unfinished = folder / f"{CHECKPOINTS}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source / CHECKPOINTS, unfinished, copy_function=_link_or_copy, symlinks=True)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    os.replace(unfinished, folder / CHECKPOINTS)
    with suppress(FileNotFoundError):
        shutil.copyfile(source / "metrics.jsonl", folder / "metrics.jsonl")


def _link_or_copy(source: str, target: str) -> None:
    """Checkpoint files are never modified, so a hard link will do, where the file system supports it."""
    if Path(source).parent.name.startswith("checkpoint-"):
        with suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)


def finish(folder: Path) -> None:
    """Writes the manifest of the stage in ``folder``, whose files are all on disk: from here on it is finished.

    The digests come last: reading large files takes a while, during which a run may be killed.
    """
    note_manifest(folder, manifest_of(folder, with_digests=False))
    note_manifest(folder, manifest_of(folder))
