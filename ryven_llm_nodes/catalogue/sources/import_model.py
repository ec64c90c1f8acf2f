"""Import Model: a model in another form, made into a folder that every stage loads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ryven_llm_nodes.catalogue.cell import PIPELINE, RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.files import File
from ryven_llm_nodes.catalogue.findings import Complaint, Pretrained
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, text
from ryven_llm_nodes.catalogue.places import is_local, location_expression, looks_local, resolve
from ryven_llm_nodes.catalogue.pretrained import DTYPES, REVISION, TRUST, local_files
from ryven_llm_nodes.catalogue.values import ModelValue
from ryven_llm_nodes.errors import shown

ADAPTER = "adapter_config.json"


class ImportModel(LLMNode):
    """A model in another form, made once into a folder that every stage loads.

    *GGUF*: name the file; its weights are dequantized, and its tokenizer comes along. *LoRA adapter*: name its folder;
    it is merged into the model that it belongs to.
    """

    title = "Import Model"
    position = 3
    stem = "imported"
    icon = accent = "model"
    is_stage = True
    leaves = "model"
    tags = ["import", "gguf", "llama.cpp", "adapter", "lora", "merge", "model", "load", "convert"]
    out_ports = (Port("model", "model"),)
    parameters = (
        text(
            "path",
            "",
            "Folder or Hub id (owner/name) of the GGUF file or of the adapter.",
            required=True,
            typical="./my-adapter or owner/name-GGUF",
            widget="folder",
        ),
        text("gguf_file", "", "The GGUF file in it; empty: it is an adapter.", typical="model.Q4_K_M.gguf"),
        text("base", "", "Model that the adapter belongs to; empty: the one that it names.", widget="folder"),
        choice("dtype", "float32", tuple(name for name in DTYPES if name != "auto"), "Precision of the weights."),
        REVISION,
        TRUST,
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        options = {"gguf_file": literal(context["gguf_file"])} if context["gguf_file"] else {}
        if context["base"]:
            options["base"] = location_expression(context["base"], context.root)
        changed = context.changed("dtype", "revision", "trust_remote_code")
        options |= {name: literal(value) for name, value in changed.items()}
        place = location_expression(context["path"], context.root)
        made = call("import_model", "pipeline", literal(context.name), place, **options)
        value = ModelValue(
            expression=context.name,
            init={"dtype": context["dtype"]} if context["dtype"] != "float32" else {},
            trust_remote_code=context["trust_remote_code"],
        )
        imports = (PIPELINE, f"from {RUNTIME}.importing import import_model")
        return Cell(imports, statement=f"{context.name} = {made}", values={"model": value})

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        yield from local_files(context)

    @classmethod
    def pretrained(cls, context: NodeContext) -> Pretrained | None:
        revision, trust, path = context["revision"], context["trust_remote_code"], context["path"]
        if context["gguf_file"]:
            return Pretrained("path", path, revision, trust, gguf_file=context["gguf_file"])
        base = context["base"] or _base_of(resolve(path, context.root))
        return Pretrained("base", base, trust_remote_code=trust) if base else None

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        path, file = context["path"], context["gguf_file"]
        if not is_local(path, context.root):
            return
        folder = resolve(path, context.root)
        if not os.path.isdir(str(folder).replace("\0", "")):
            yield "path", f"{shown(path)} is no folder; give the folder of a GGUF file or of an adapter."
        elif file and not os.path.isfile(str(folder / file).replace("\0", "")):
            yield "gguf_file", f"{shown(path)} contains no {shown(file)}; correct the name."
        elif not file and not (folder / ADAPTER).is_file():
            there = sorted(one.name for one in folder.glob("*.gguf"))
            remedy = f"set gguf_file to {shown(there[0])}" if there else "use Load Model for a model"
            yield "path", f"{shown(path)} contains no adapter ({ADAPTER}); {remedy}."
        elif context["base"] and looks_local(context["base"]) and not is_local(context["base"], context.root):
            yield "base", f"{shown(context['base'])} does not exist; correct the path."


def _base_of(folder: Path) -> str:
    """The model that the adapter in ``folder`` belongs to; empty where it does not say so here."""
    try:
        found = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
