"""Recognises what ran out or was denied (disk space, memory, permissions), whichever library reported it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from ryven_llm_nodes.quantities import size
from ryven_llm_nodes.system.causes import chain

SPACE_WORDS: Final = ("no space left", "disk quota exceeded", "file too large")
TORCH_WORDS: Final = ("inline_container.cc", "iostream error", "failed writing file", "file write failed")
"""What torch.save says of a file that it could not write, without the reason."""
MEMORY_WORDS: Final = ("out of memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc")
RIGHTS_WORDS: Final = ("permission denied", "read-only file system", "operation not permitted")
RIGHTS: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
LITTLE: Final = 2**24
"""Bytes. With less free space than this a disk counts as full: checkpoint files are rarely smaller."""


def refusal(error: BaseException, output_dir: Path, batch_size: int | None = None) -> str | None:
    """What ran out or was denied and what to do, or None. ``batch_size`` is that of the trainer that failed."""
    text = " ".join(str(one) for one in chain(error)).lower()
    if any(words in text for words in SPACE_WORDS):
        return _no_space(text, output_dir)
    if any(words in text for words in TORCH_WORDS):
        full = any(_free(place) < LITTLE for place in _places(output_dir))
        return _no_space(text, output_dir) if full else _not_written(error, output_dir)
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in MEMORY_WORDS):
        return _no_memory(str(error), batch_size)
    return _no_right(error, output_dir)


def _no_space(text: str, output_dir: Path) -> str:
    places = _places(output_dir)
    place = min(places, key=lambda one: _free(one) >= LITTLE)
    if "file too large" in text:
        return f"a file in {place} grew larger than allowed. Raise the limit (ulimit -f), or {places[place]}."
    what = "the disk quota is used up" if "quota" in text else "the disk is full"
    return f"{what}: {size(_free(place))} free in {place}. Free some space there, or {places[place]}."


def _not_written(error: BaseException, output_dir: Path) -> str:
    text = " ".join(str(error).split("\n")[0].split()).rstrip(". ")
    free = size(_free(output_dir))
    return f"a checkpoint cannot be written to {output_dir} ({text}; {free} free). Check that disk and its quota."


def _places(output_dir: Path) -> dict[Path, str]:
    """The folders that a run writes to, and the alternative to freeing space there."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    return {
        output_dir: "choose another --output-dir",
        Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")): "set HF_HOME to a folder on another disk",
        Path(tempfile.gettempdir()): "set TMPDIR to a folder on another disk",
    }


def _free(place: Path) -> int:
    """The free bytes on the disk of ``place``, which may not exist yet."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


# Memory


def _no_memory(text: str, batch_size: int | None) -> str:
    wanted = re.search(r"tried to allocate ([\d.]+) ?(bytes|[KMGT]iB)", text, re.IGNORECASE)
    where = "on the GPU" if re.search(r"cuda|gpu|hip|xpu", text, re.IGNORECASE) else "in this machine"
    more = f": {_amount(*wanted.groups())} more were requested" if wanted else ""
    smaller = (
        f"Lower per_device_train_batch_size ({batch_size}), connect a LoRA adapter, or close" if batch_size else "Close"
    )
    if "killed by the system" in text:
        return f"{text}, as happens when memory runs out. {smaller} other programs."
    return f"out of memory {where}{more}. {smaller} other programs."


def _amount(number: str, unit: str) -> str:
    return size(int(number)) if unit == "bytes" else f"{number} {unit}"


# Permissions


def _no_right(error: BaseException, output_dir: Path) -> str | None:
    for one in chain(error):
        words = next((words for words in RIGHTS_WORDS if words in str(one).lower()), None)
        if (isinstance(one, OSError) and one.errno in RIGHTS and words) or (words and "os error" in str(one)):
            place = getattr(one, "filename", None) or output_dir
            return f"{words}: {place}. Make it writable for this user, or choose another --output-dir."
    return None
