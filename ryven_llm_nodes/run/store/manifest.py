"""The manifest of a stage: names, sizes, modification times and sha256 of its files, and whether they are unchanged.

A file with the noted size and modification time is taken as unchanged; if the time differs (the folder was
copied, or something wrote there) its sha256 decides. Weights are hashed once, right after they are written,
while they are still in the page cache, and otherwise only in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.beside import files_below
from ryven_llm_nodes.catalogue.files import BESIDE_A_MODEL, CHECKPOINTS
from ryven_llm_nodes.run.store.inputs import digest_of

NOT_OF_A_STAGE: Final = BESIDE_A_MODEL | {"training_args.bin"}
"""Files that are not results of a stage. The last contains the module name of the configuration's class,
which differs between a script and a run of the same flow; nothing reads it."""


@dataclass(frozen=True)
class FileState:
    """One file: bytes, modification time in nanoseconds, and its sha256, empty if it was never read."""

    size: int
    changed: int
    sha256: str = ""


Manifest = Mapping[str, FileState]
"""The files of a stage by their path in its folder."""


def manifest_of(folder: Path, with_digests: bool = True) -> dict[str, FileState]:
    """Every file in a stage's ``folder`` except checkpoints and a run's own files; reads them for their digests."""
    return {name: _state(file, with_digests) for name, file in _left_in(folder)}


def manifest_beside(folder: Path) -> dict[str, FileState]:
    """The files in a ``folder`` of the user, without its subfolders; reads none."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {file.name: _state(file, False) for file in files if file.name not in NOT_OF_A_STAGE}


def _left_in(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in files_below(folder):
        name = file.relative_to(folder)
        if name.parts[0] != CHECKPOINTS and name.as_posix() not in NOT_OF_A_STAGE:
            yield name.as_posix(), file


def _state(file: Path, with_digest: bool) -> FileState:
    digest = digest_of(file) if with_digest else ""
    found = file.stat()
    return FileState(found.st_size, found.st_mtime_ns, digest)


def missing_from(folder: Path, manifest: Manifest) -> list[str]:
    """The files of ``manifest`` that are not in ``folder``."""
    return [name for name in manifest if not (folder / name).is_file()]


def damage_to(folder: Path, manifest: Manifest) -> str:
    """What in ``folder`` is missing or modified, in words; empty if nothing is."""
    if missing := missing_from(folder, manifest):
        return f"{missing[0]} is missing"
    changed = (name for name, state in manifest.items() if not _is_same(folder / name, state))
    return f"{name} was modified after it was saved" if (name := next(changed, "")) else ""


def _is_same(file: Path, noted: FileState) -> bool:
    found = file.stat()
    if found.st_size != noted.size:
        return False
    return found.st_mtime_ns == noted.changed or (noted.sha256 != "" and digest_of(file) == noted.sha256)


def with_times_of(folder: Path, manifest: Manifest) -> dict[str, FileState]:
    """``manifest``, of files that were found unchanged, with their current times in ``folder``."""
    times = {name: (folder / name).stat().st_mtime_ns for name in manifest}
    return {name: FileState(state.size, times[name], state.sha256) for name, state in manifest.items()}


def to_json(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """``manifest`` as plain data."""
    return {name: {"size": s.size, "changed": s.changed, "sha256": s.sha256} for name, s in manifest.items()}


def from_json(data: Any) -> dict[str, FileState]:
    """The manifest in ``data``. Raises KeyError, TypeError, ValueError or AttributeError if it is invalid."""
    return {
        str(name): FileState(int(about["size"]), int(about["changed"]), str(about["sha256"]))
        for name, about in data.items()
    }
