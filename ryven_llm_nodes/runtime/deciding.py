"""Decisions about folders in several processes: the first one looks, and all do what it says."""

import shutil
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch.distributed.checkpoint import FileSystemReader

from .checkpoints import FINISHED, checkpoints, is_complete, is_cut_short


def decided(value: Any) -> Any:
    """The `value` of the first process, on all of them."""
    values = [value]
    broadcast_object_list(values)
    return values[0]


def is_finished(output_dir: Path) -> bool:
    """Whether a stage has saved its model in `output_dir`."""
    return decided((output_dir / FINISHED).is_file())


def newest_checkpoint(folder: Path) -> str | None:
    """The checkpoint to resume from, or None to start; half-written ones left by a crash are removed."""
    state, chosen = PartialState(), None
    if state.is_main_process:
        for leftover in (folder / "unfinished").glob("*checkpoint-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        found = (path for path in reversed(checkpoints(folder)) if is_complete(path) and has_all_parts(path))
        chosen = next(found, None)
    chosen = decided(chosen)
    writers = len(list(chosen.glob("rng_state*.pth"))) if chosen else 0  # none if only the model is saved
    if writers not in (0, state.num_processes):
        raise ValueError(
            f"{chosen} was written by {writers} process(es), and here are {state.num_processes}: the order of rows and "
            f"random states would differ. Resume with {writers} as well, or start over without --resume."
        )
    return str(chosen) if chosen else None


def has_all_parts(checkpoint: Path) -> bool:
    """Whether the files that processes wrote together, by torch or by DeepSpeed, are there in full length."""
    if any(is_cut_short(file) for file in checkpoint.glob("*/*.pt")):
        print(f"{checkpoint} is incomplete: resuming from the previous one")
        return False
    for index in checkpoint.glob("*/.metadata"):
        for part in FileSystemReader(index.parent).read_metadata().storage_data.values():
            file = index.parent / part.relative_path
            if not file.is_file() or file.stat().st_size < part.offset + part.length:
                print(f"{checkpoint} is incomplete ({file.name}): resuming from the previous one")
                return False
    return not any(folder.is_dir() and not (folder / ".metadata").is_file() for folder in checkpoint.glob("*_[0-9]"))
