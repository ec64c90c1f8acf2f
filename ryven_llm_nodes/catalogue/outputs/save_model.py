"""Save Model: a model in a folder of the user's choice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.cell import PIPELINE, RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Seen
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, choice, flag, text
from ryven_llm_nodes.catalogue.places import lacks, unwritable
from ryven_llm_nodes.catalogue.values import ModelValue
from ryven_llm_nodes.errors import shown

PUSH: Final = "push_to_hub"
GGUF: Final = "gguf"
GGUF_MODELS: Final = ("llama", "mistral", "qwen2", "qwen3")
"""Types of models that can be written as GGUF files (``runtime/llama_cpp.py``)."""
GGUF_ROTATIONS: Final = ("default", "llama3")
REPOSITORY: Final = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


class SaveModel(LLMNode):
    """Writes a model and its tokenizer to a folder of your choice, as ``from_pretrained`` reads it."""

    title = "Save Model"
    position = 1
    stem = "saved_model"
    icon, accent = "save", "output"
    leaves, writes = "model", "folder"
    tags = ["save", "model", "folder", "write", "export", "weights"]
    in_ports = (Port("model", "model"),)
    parameters = (
        text(
            "folder",
            "final-model",
            "Folder to write to; relative paths are below the output folder of the run.",
            required=True,
            widget="folder",
        ),
        choice("dtype", "auto", ("auto", "float32", "bfloat16", "float16"), "Precision to save in; auto: unchanged."),
        choice(
            GGUF,
            "",
            ("", "f32", "f16", "bf16", "q8_0"),
            "Also write one GGUF file in this precision, for llama.cpp, Ollama and LM Studio.",
        ),
        flag(
            PUSH,
            False,
            "Also upload the model to the Hugging Face Hub, with a model card. Log in with `hf auth login` before.",
        ),
        text("hub_model_id", "", "Repository to upload to.", typical="owner/name"),
        flag("hub_private_repo", True, "Whether the repository is private, if it does not exist yet."),
        text("license", "", "License of the model, for its card.", typical="apache-2.0"),
        text("about", "", "What the model card says of the model.", widget="text"),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        model = context.inputs["model"]
        assert isinstance(model, ModelValue)
        options = {name: literal(context[name]) for name in ("dtype",) if context[name] != "auto"}
        if model.revision:
            options["revision"] = literal(model.revision)
        if model.trust_remote_code:
            options["trust_remote_code"] = "True"
        copy = call("pipeline.copy", literal(context.name), model.expression, literal(context["folder"]), **options)
        imports = [PIPELINE]
        if context[GGUF]:
            copy = call("write_gguf", "pipeline", literal(context.name), copy, literal(context[GGUF]))
            imports.append(f"from {RUNTIME}.llama_cpp import write_gguf")
        if not context[PUSH]:
            return Cell(tuple(imports), statement=f"{context.name} = {copy}")
        repository = {"repository": literal(context["hub_model_id"]), "private": literal(context["hub_private_repo"])}
        card = {name: literal(context[name]) for name in ("license", "about") if context[name]}
        push = call("push_model", "pipeline", literal(context.name), copy, **repository, **card)
        imports.append(f"from {RUNTIME}.hub import push_model")
        return Cell(tuple(imports), statement=f"{context.name} = {push}")

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return {**given, "folder": name, PUSH: False, "hub_model_id": ""}

    @classmethod
    def is_others(cls, place: Path) -> bool:
        return lacks(place / "config.json", "transformers_version")

    @classmethod
    def read(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        """What llama.cpp has no form for, before the model is trained."""
        config = seen.config
        if not context[GGUF] or config is None:
            return
        rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
        if config.model_type not in GGUF_MODELS:
            known = ", ".join(GGUF_MODELS)
            yield Finding(GGUF, f"is for models of type {known}; this is {shown(config.model_type)}. Clear it.")
        elif rotation not in GGUF_ROTATIONS:
            yield Finding(GGUF, f"cannot hold a rotary embedding scaled by {shown(rotation)}. Clear it.")

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if wrong := unwritable(context["folder"]):
            yield "folder", wrong
        repository = context["hub_model_id"]
        if context[PUSH] and not REPOSITORY.fullmatch(repository):
            yield "hub_model_id", f"must be a repository of the Hub, such as owner/name, got {shown(repository)}."
        elif repository and not context[PUSH]:
            yield "hub_model_id", f"is where {PUSH} uploads to; set that, or clear this."
