"""What nodes that load a model have in common: their parameters, their files, and what can be wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.files import File, model_files
from ryven_llm_nodes.catalogue.findings import Complaint, Pretrained
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import flag, text
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.errors import shown

DTYPES: Final = ("float32", "bfloat16", "float16", "auto")
REVISION: Final = text("revision", "", "Branch, tag or commit of a Hub model; empty: its main branch.")
TRUST: Final = flag(
    "trust_remote_code", False, "Run Python code from the model's repository. Set it only if you trust the code."
)


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


def folder_complaints(location: str, root: Path, tokenizer: bool = False) -> Iterator[str]:
    """Why the folder at ``location`` is not a saved model, if so."""
    folder = resolve(location, root)
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for a name that is too long
        found = "is a file" if os.path.exists(folder) else "does not exist"
        yield f"the model folder {shown(location)} {found}; give a folder with config.json, or a Hub id (owner/name)."
    elif not (folder / "config.json").is_file():
        yield f"{shown(location)} is not a model folder: it has no config.json."
    elif not any(folder.glob("*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        yield f"{shown(location)} contains no weights (*.safetensors); save the model there with save_pretrained."
    elif tokenizer and not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        yield f"{shown(location)} contains no tokenizer; save it there with tokenizer.save_pretrained."
