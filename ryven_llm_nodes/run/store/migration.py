"""Moves stages that versions before the store kept under their names into the store; nothing is lost.

In such a folder ``stage.json`` lists no files: its stage was finished if the script's marker and weights exist.
A crash at any point leaves the stage under its name, or in the store with a link that waits for the name (links.py).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ryven_llm_nodes.catalogue.files import FINISHED, RECORD
from ryven_llm_nodes.program.carried import CARRIED_FILE, COPY, ROOT
from ryven_llm_nodes.program.project import relative_root, write_project
from ryven_llm_nodes.run.store.decisions import mark
from ryven_llm_nodes.run.store.kept import Kept, checkpoints_in, kept_in, read_record, write_record
from ryven_llm_nodes.run.store.links import STORE, await_name, entry_name, entry_of, set_aside, take_name
from ryven_llm_nodes.run.store.manifest import manifest_of, to_json


def adopt_all(output_dir: Path) -> None:
    """Gives every stage that an earlier version left in ``output_dir`` today's record."""
    for folder in _folders_by_name(output_dir):
        if (kept := kept_in(folder)) is not None and not kept.names:
            _adopt(folder, kept)


def move_all(output_dir: Path) -> list[str]:
    """Moves every stage that lies under its name in ``output_dir`` into the store; returns the names of those moved."""
    if (output_dir / STORE / RECORD).is_file():  # a stage of an older version with this name
        set_aside(output_dir / STORE)
    (output_dir / STORE).mkdir(exist_ok=True)
    return [folder.name for folder in _folders_by_name(output_dir) if _move(folder)]


def _folders_by_name(output_dir: Path) -> list[Path]:
    return [record.parent for record in sorted(output_dir.glob(f"*/{RECORD}")) if not entry_name(record.parent)]


def _adopt(folder: Path, kept: Kept) -> None:
    """Files of an earlier version are not hashed: there may be many, and a run should not wait for that."""
    finished = (folder / FINISHED).is_file() and any(folder.glob("*.safetensors"))
    files = {"files": to_json(manifest_of(folder, with_digests=False))} if finished else {}
    for checkpoint in checkpoints_in(folder):
        mark(checkpoint, kept.digest)
    _place_flow(folder, absolute=True)
    write_record(folder, read_record(folder) | {"names": [folder.name], **files})


def _move(folder: Path) -> bool:
    """Moves the stage in ``folder`` under its key, if that is free or holds less; its name leads there."""
    kept = kept_in(folder)
    if kept is None:
        return False
    output_dir = folder.parent
    entry = entry_of(output_dir, kept.digest)
    if os.path.lexists(entry) and not (folder.is_symlink() and folder.samefile(entry)):
        there = kept_in(entry)
        if not kept.finished or (there is not None and there.finished):
            return False
        shutil.rmtree(entry)
    waiting = await_name(output_dir, folder.name, kept.digest)
    if not folder.is_symlink():
        os.rename(folder, entry)
    elif not entry.exists():  # for instance a link to a larger disk
        os.symlink(folder.resolve(), entry, target_is_directory=True)
    _place_flow(entry, absolute=False)
    take_name(waiting, folder)
    return True


def _place_flow(folder: Path, absolute: bool) -> None:
    """Updates, in the flow embedded in ``folder``, where its relative paths lead: they are relative to it."""
    try:
        flow = json.loads((folder / CARRIED_FILE).read_text(encoding="utf-8"))
        root = (folder.resolve() / flow[ROOT]).resolve() if flow[COPY] is True else None
    except (OSError, ValueError, KeyError, TypeError):
        return  # the user's own flow, or none
    if root is not None:
        place = str(root) if absolute else relative_root(root, folder)
        write_project({**flow, ROOT: place}, folder / CARRIED_FILE)


Say = Callable[[str], None]


def migrate(output_dir: Path, say: Say) -> None:
    """Moves what lies under names in ``output_dir`` into its store. Raises UsageError where it cannot be written to."""
    adopt_all(output_dir)
    if moved := move_all(output_dir):
        lie = "its folder lies" if len(moved) == 1 else "their folders lie"
        say(f"{', '.join(moved)}: {lie} in {output_dir / STORE} from now on, with a link at the old place")
