"""The cached stages of an output folder: each in a folder of its own, with a record of its key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.files import CHECKPOINTS, FINISHED, RECORD
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.store.alone import is_taken
from ryven_llm_nodes.run.store.keys import Key
from ryven_llm_nodes.run.store.links import LENGTH, STORE, entry_name, names_in
from ryven_llm_nodes.run.store.manifest import Manifest, damage_to, from_json, missing_from, to_json
from ryven_llm_nodes.system.files import write_whole

__all__ = ["FINISHED", "RECORD"]

UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)
"""What reading a missing or damaged record raises."""


@dataclass(frozen=True)
class Kept:
    """A cached stage: the parts of its key, when it was started, and the files that make it complete."""

    folder: Path
    parts: Mapping[str, Any]
    digest: str
    since: str
    manifest: Manifest | None = None
    """The files of the stage, once it was finished."""
    damage: str = ""
    """What of that is missing or modified, in words."""
    ended_at: tuple[int, int] | None = None
    """The step at which training was ended early with its model kept, and the planned number of steps."""
    records: tuple[str, ...] = ()
    """The records of the runs that trained it, newest last: several if it was resumed."""
    names: tuple[str, ...] = ()
    """The names of the stage, newest last; none if it was cached by a version before the store."""

    @property
    def finished(self) -> bool:
        """Whether all files of the stage are there, unmodified."""
        return bool(self.manifest) and not self.damage

    @property
    def state(self) -> str:
        """In words: finished, stopped, damaged, or ended early."""
        if not self.manifest:
            return "stopped"
        if self.damage:
            return "damaged"
        return f"ended at step {self.ended_at[0]} of {self.ended_at[1]}" if self.ended_at else "finished"

    @property
    def is_in_store(self) -> bool:
        """Whether it lies under its key; False without symbolic links, where it lies under its name."""
        return self.folder.parent.name == STORE and self.folder.name == self.digest[:LENGTH]

    @property
    def output_dir(self) -> Path:
        """The output folder that it lies in."""
        return self.folder.parent.parent if self.is_in_store else self.folder.parent

    @property
    def leading(self) -> list[str]:
        """The names in the output folder that lead to it."""
        if not self.is_in_store:
            return [self.folder.name]
        return [name for name, entry in names_in(self.output_dir) if entry == self.folder.name]

    @property
    def title(self) -> str:
        """The names that lead to it; if there are none any more, the last one: ``sft (earlier)``."""
        return ", ".join(self.leading) or f"{self.names[-1] if self.names else self.folder.name} (earlier)"

    @property
    def size(self) -> int:
        """Bytes on the disk; a run may be removing a checkpoint meanwhile."""
        total = 0
        for file in self.folder.rglob("*"):
            with suppress(FileNotFoundError):
                total += file.lstat().st_size if not file.is_dir() else 0
        return total

    def delete(self) -> None:
        """Removes the stage's folder with all its content, and its names. Raises UsageError if that is not possible."""
        if is_taken(self.output_dir):
            what = f"a run is writing to {self.output_dir}"
            raise UsageError(f"{what}; delete {self.title} after it has ended.")
        try:
            for name in self.leading if self.is_in_store else ():
                (self.output_dir / name).unlink()
            shutil.rmtree(self.folder.resolve(strict=True))
            if self.folder.is_symlink():
                self.folder.unlink()
        except OSError as error:
            raise UsageError(f"cannot delete {self.folder}: {error.strerror}.") from error


def kept_in(folder: Path) -> Kept | None:
    """What is recorded in a stage's ``folder``, or None where nothing readable is."""
    try:
        record = read_record(folder)
        early = record.get("ended at")
        manifest = from_json(record["files"]) if "files" in record else None
        return Kept(
            folder,
            dict(record["parts"]),
            str(record["digest"]),
            str(record["since"]),
            manifest,
            damage_to(folder, manifest) if manifest else "",
            (int(early[0]), int(early[1])) if early else None,
            *(tuple(map(str, record.get(name, ()))) for name in ("records", "names")),
        )
    except UNREADABLE:
        return None


def read_record(folder: Path) -> dict[str, Any]:
    """The record in a stage's ``folder``. Raises OSError, ValueError or TypeError where there is none to be read."""
    return dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes the record of a stage into its ``folder``. Raises UsageError where it cannot be written."""
    write_whole(folder / RECORD, json.dumps(record, indent=2, sort_keys=True, default=repr) + "\n")


def note_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest of the stage in ``folder``: from here on it is finished."""
    write_record(folder, read_record(folder) | {"files": to_json(manifest)})


def note_end(folder: Path, step: int, total: int) -> None:
    """Notes in ``folder`` that its stage was ended early, at ``step`` of ``total``, before its model is saved."""
    write_record(folder, read_record(folder) | {"ended at": [step, total]})


def ending(folder: Path, key: Key) -> str:
    """How the training of ``key`` ended in ``folder``, where it was ended early; else nothing."""
    kept = kept_in(folder)
    return f"@{kept.ended_at[0]}" if kept and kept.ended_at and kept.digest == key.digest else ""


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint in a stage's ``folder``; 0 where there is none."""
    return max(map(step_of, checkpoints_in(folder)), default=0)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a stage's ``folder``."""
    return [path for path in (folder / CHECKPOINTS).glob("checkpoint-*") if step_of(path)]


def step_of(checkpoint: Path) -> int:
    """The step of a checkpoint; 0 for anything else."""
    number = checkpoint.name.partition("-")[2]
    return int(number) if number.isdecimal() else 0


def lacks(folder: Path) -> bool:
    """Whether files of a finished stage's ``folder`` are missing. Reads only its record."""
    try:
        return bool(missing_from(folder, from_json(read_record(folder)["files"])))
    except UNREADABLE:
        return True


# All cached stages


def all_kept(output_dir: Path) -> Iterator[Kept]:
    """Every stage cached in ``output_dir``, under its key or under its name, by name and age."""
    records = [*output_dir.glob(f"{STORE}/*/{RECORD}"), *output_dir.glob(f"*/{RECORD}")]
    folders = [record.parent for record in records if not entry_name(record.parent)]
    found = [kept for folder in folders if (kept := kept_in(folder)) is not None and kept.output_dir == output_dir]
    yield from sorted(found, key=lambda kept: (kept.title, kept.since))


def kept_below(folder: Path) -> Iterator[Kept]:
    """Every stage cached in ``folder``, or in an output folder in it."""
    for place in (folder, *sorted(folder.glob("*/"))):
        yield from all_kept(place)


def delete_all(items: Iterable[Any]) -> list[str]:
    """Deletes stages or records, each with its ``delete``; returns the errors, one line per item."""
    failures = []
    for item in items:
        try:
            item.delete()
        except UsageError as error:
            failures.append(str(error))
    return failures
