"""What nodes that load a model have in common: their parameters, their files, and what can be wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.files import File, model_files
from ryven_llm_nodes.catalogue.findings import Complaint, Pretrained
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON, flag, text
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.errors import shown

DTYPES: Final = ("float32", "bfloat16", "float16", "auto")
REVISION: Final = text("revision", "", "Branch, tag or commit of a Hub model; empty: its main branch.")
TRUST: Final = flag(
    "trust_remote_code", False, "Run Python code from the model's repository. Set it only if you trust the code."
)

REHEARSAL: Final = text(
    "rehearsal_model",
    "",
    "Small model that is used instead while the flow is rehearsed (`ryven-llm run FLOW --rehearse`); empty: this one.",
    typical="HuggingFaceTB/SmolLM2-135M-Instruct",
    widget="folder",
    outcome=False,
)


def rehearsed(given: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The values of a node that loads a model, with the rehearsal model in place of the model, if there is one."""
    small = given.get(REHEARSAL.name)
    return {**given, "path": small, "revision": ""} if small else given


def pretrained(context: NodeContext, scores: bool = False) -> Pretrained:
    """The model that ``path`` and ``revision`` of a node name."""
    path, revision = context["path"], context["revision"]
    return Pretrained("path", path, revision, context["trust_remote_code"], scores)


def local_files(context: NodeContext) -> Iterator[File]:
    """The files of the model, where it is a folder."""
    path = context["path"]
    if isinstance(path, str) and path and is_local(path, context.root):
        yield from model_files(resolve(path, context.root))


def model_complaints(context: NodeContext) -> Iterator[Complaint]:
    """What is wrong with the ``path`` and ``revision`` of a node that names a model, as far as a quick look tells."""
    if is_local(context["path"], context.root):
        yield from (("path", wrong) for wrong in folder_complaints(context["path"], context.root, tokenizer=True))
        if context["revision"]:
            yield "revision", f"is for Hub models, but {shown(context['path'])} is a folder; clear it."
    small = context[REHEARSAL.name]
    if small and is_local(small, context.root):
        yield from ((REHEARSAL.name, wrong) for wrong in folder_complaints(small, context.root, tokenizer=True))


def folder_complaints(location: str, root: Path, tokenizer: bool = False) -> Iterator[str]:
    """Why the folder at ``location`` is not a saved model, if so."""
    folder = resolve(location, root)
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for a name that is too long
        found = "is a file" if os.path.exists(folder) else "does not exist"
        yield f"the model folder {shown(location)} {found}; give a folder with config.json, or a Hub id (owner/name)."
    elif not (folder / "config.json").is_file():
        adapter = _adapter_of(folder)
        yield (
            f"{shown(location)} contains a LoRA adapter of {shown(adapter)}, and no model; use Import Model, which "
            "merges it into that model."
            if adapter is not None
            else f"{shown(location)} is not a model folder: it has no config.json."
        )
    elif not any(folder.glob("*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        yield f"{shown(location)} contains no weights (*.safetensors); save the model there with save_pretrained."
    elif missing := _missing_shards(folder):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield f"{shown(location)} is incomplete: {missing[0]}{more} of its weights is missing; copy all files again."
    elif tokenizer and not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        yield f"{shown(location)} contains no tokenizer; save it there with tokenizer.save_pretrained."


def _adapter_of(folder: Path) -> str | None:
    """The model that the adapter in ``folder`` belongs to; None if there is no adapter."""
    data = _json(folder / "adapter_config.json")
    return str(data.get("base_model_name_or_path") or "another model") if data else None


def _missing_shards(folder: Path) -> list[str]:
    """The files of weights that an index names and that are not there."""
    named: set[str] = set()
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        weights = _json(folder / index).get("weight_map")
        shards = set(map(str, weights.values())) if isinstance(weights, dict) else set()
        if all((folder / shard).is_file() for shard in shards) and shards:
            return []
        named |= shards
    return sorted(shard for shard in named if not (folder / shard).is_file())


def _json(file: Path) -> dict[str, object]:
    """The object in ``file``; an empty one where there is none, which is reported when the model is loaded."""
    try:
        data = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
