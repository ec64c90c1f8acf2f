"""The local files that a step reads by itself, not along a wire, and their digests."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from glob import has_magic
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import LoadDataset, LoadModel, RewardModel
from ryven_llm_nodes.catalogue.beside import files_below, files_of_code
from ryven_llm_nodes.catalogue.columns import matches
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.catalogue.stage import FILE_FIELDS
from ryven_llm_nodes.program import Step
from ryven_llm_nodes.program.carried import CARRIED_FILE

RECORD: Final = "stage.json"
"""The file by which the folder of a stage is known."""
FINISHED: Final = "finished"
"""The marker that the script itself writes once a stage's model is saved (runtime/checkpoints.py)."""
BESIDE_A_MODEL: Final = frozenset({RECORD, FINISHED, CARRIED_FILE, "metrics.jsonl"})
"""What a run leaves beside a model, and no stage reads."""
CHECKPOINTS: Final = "checkpoints"
WEIGHTS: Final = frozenset({".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx"})
SETTLED_NS: Final = 2_000_000_000
"""After this time without a change, a file that changes again has another time of change, on any file system."""

File = tuple[str, Path]
"""A name that tells the files of one step apart and does not move with the flow, and the file."""


def digests_of(step: Step, root: Path) -> dict[str, str]:
    """The digest of every local file that ``step`` reads by itself; ``root`` is the folder of the flow."""
    return {name: digest_of(file) for name, file in files_of(step, root)}


def files_of(step: Step, root: Path) -> Iterator[File]:
    """Every local file that ``step`` reads by itself. Rather one too many than one too few."""
    path = step.given.get("path")
    if step.node.holds_code:
        yield from files_of_code(str(step.setting("code")), root).items()
    elif step.node.family == "trainer":
        for name, value in step.given.items():
            yield from _named_by(name, value, root)
    elif step.node is LoadDataset and isinstance(path, str):
        yield from _data_files(path, root)
    elif step.node in (LoadModel, RewardModel) and isinstance(path, str) and is_local(path, root):
        yield from _model_files(resolve(path, root))


def _data_files(path: str, root: Path) -> Iterator[File]:
    """The files of a data set: one, those of a folder, or those that a pattern matches, each with its folders."""
    found, place = matches(path, root), resolve(path, root)
    if found and not has_magic(path):
        yield place.name, place
    elif found:
        start = Path(os.path.commonpath([file.parent for file in found]))
        yield from ((file.relative_to(start).as_posix(), file) for file in found)
    elif is_local(path, root):
        yield from _inside(place)


def _inside(folder: Path) -> Iterator[File]:
    return ((file.relative_to(folder).as_posix(), file) for file in files_below(folder))


def _model_files(folder: Path) -> Iterator[File]:
    """Everything in the folder of a model, whatever its kind, but what a run left beside it; the base of an adapter."""
    is_stage = (folder / RECORD).is_file()
    for name, file in _inside(folder):
        if name not in BESIDE_A_MODEL and not (is_stage and name.startswith(f"{CHECKPOINTS}/")):
            yield name, file
    base = _base_of_adapter(folder)
    if base is not None:
        yield from ((f"base model: {name}", file) for name, file in _inside(base))


def _base_of_adapter(folder: Path) -> Path | None:
    """The folder of the model that an adapter in ``folder`` belongs to, where it is a local one."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base = Path(config["base_model_name_or_path"])
        return base if base.is_dir() and base.resolve() != folder.resolve() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _named_by(field: str, value: JSON, root: Path) -> Iterator[File]:
    """The files that the value of a field names, however deep; of a folder that is meant as one, all but weights."""
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _named_by(field, item, root)
    elif isinstance(value, str) and value and is_local(value, root):
        place = resolve(value, root)
        if os.path.isfile(place):
            yield value, place
        elif field in FILE_FIELDS:
            yield from ((f"{value}/{name}", file) for name, file in _inside(place) if file.suffix not in WEIGHTS)


# Digests

_known: dict[Path, tuple[tuple[int, ...], str]] = {}


def digest_of(file: Path) -> str:
    """The sha256 of a file; read again only where it may have changed since. A file that cannot be read says why."""
    try:
        found = file.stat()
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        before = _known.get(file)
        if before is not None and before[0] == state:
            return before[1]
        digest = _sha256(file)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > SETTLED_NS:
        _known[file] = state, digest
    return digest


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(data)


def _digest(data: Any) -> str:
    """``hashlib.file_digest`` for Python 3.10."""
    digest = hashlib.sha256()
    while block := data.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
