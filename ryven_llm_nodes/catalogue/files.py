"""The local files behind a dataset, a model, or a value of a trainer's field, whose content a stage depends on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.beside import files_below
from ryven_llm_nodes.catalogue.columns import matches
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.places import is_local, resolve

RECORD: Final = "stage.json"
"""The file that identifies the folder of a stage."""
FINISHED: Final = "finished"
"""The marker that the script itself writes once a stage's model is saved (runtime/checkpoints.py)."""
CARRIED: Final = "flow.json"
"""The name of the flow file in the folder of a model or of a run."""
BESIDE_A_MODEL: Final = frozenset({RECORD, FINISHED, CARRIED, "metrics.jsonl"})
"""What a run leaves next to a model, and no stage reads."""
CHECKPOINTS: Final = "checkpoints"
WEIGHTS: Final = frozenset({".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx"})
FILE_FIELDS: Final = ("chat_template_path", "deepspeed", "accelerator_config", "fsdp_config", "value_model")
"""Fields of a trainer's configuration that may name a file or folder of the user, looked up next to the flow file."""
HUB_FIELDS: Final = ("chat_template_path", "value_model")
"""Those of them that may also be something else: a model of the Hub, or a choice."""

File = tuple[str, Path]
"""A name, unique among the files of a node and independent of where the flow lies, and the file."""


def data_files(path: str | list[str], root: Path) -> Iterator[File]:
    """The files of a dataset: one, those of a folder, or those of several paths and patterns, each with its folders."""
    paths = [path] if isinstance(path, str) else [item for item in path if isinstance(item, str)]
    found = [file for item in paths for file in matches(item, root)]
    if found:
        start = Path(os.path.commonpath([file.parent for file in found]))
        yield from ((file.relative_to(start).as_posix(), file) for file in found)
    elif len(paths) == 1 and is_local(paths[0], root):
        yield from inside(resolve(paths[0], root))


def inside(folder: Path) -> Iterator[File]:
    """Every file in ``folder`` and its subfolders."""
    return ((file.relative_to(folder).as_posix(), file) for file in files_below(folder))


def model_files(folder: Path) -> Iterator[File]:
    """All files of a model's folder, except what a run left next to it; also those of an adapter's base model."""
    is_stage = (folder / RECORD).is_file()
    for name, file in inside(folder):
        if name not in BESIDE_A_MODEL and not (is_stage and name.startswith(f"{CHECKPOINTS}/")):
            yield name, file
    base = _base_of_adapter(folder)
    if base is not None:
        yield from ((f"base model: {name}", file) for name, file in inside(base))


def _base_of_adapter(folder: Path) -> Path | None:
    """The folder of the model that an adapter in ``folder`` belongs to, where it is a local one."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base = Path(config["base_model_name_or_path"])
        return base if base.is_dir() and base.resolve() != folder.resolve() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def files_named_by(value: JSON, root: Path, names_folder: bool) -> Iterator[File]:
    """The files that the value of a field names, at any depth.

    ``names_folder``: the field may also mean a folder, of which all but weights is read.
    """
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from files_named_by(item, root, names_folder)
    elif isinstance(value, str) and value and is_local(value, root):
        place = resolve(value, root)
        if os.path.isfile(place):
            yield value, place
        elif names_folder:
            yield from ((f"{value}/{name}", file) for name, file in inside(place) if file.suffix not in WEIGHTS)
