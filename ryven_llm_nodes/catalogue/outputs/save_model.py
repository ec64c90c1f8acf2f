"""Save Model: a model in a folder of the user's choice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ryven_llm_nodes.catalogue.cell import PIPELINE, Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, text
from ryven_llm_nodes.catalogue.places import lacks, unwritable
from ryven_llm_nodes.catalogue.values import ModelValue


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
        return Cell((PIPELINE,), statement=f"{context.name} = {copy}")

    @classmethod
    def is_others(cls, place: Path) -> bool:
        return lacks(place / "config.json", "transformers_version")

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        if wrong := unwritable(context["folder"]):
            yield "folder", wrong
