"""Where a pipeline ends: Save Model and Export Script."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import Cell, ModelValue, call, literal
from ryven_llm_nodes.catalogue.node import Complaint, LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, text
from ryven_llm_nodes.catalogue.places import output_expression, unwritable


class SaveModel(LLMNode):
    """Writes a model and its tokenizer to a folder of your choice, as ``from_pretrained`` reads it."""

    title = "Save Model"
    family = "output"
    stem = "saved_model"
    tags = ["save", "model", "folder", "write", "export", "weights"]
    in_ports = (Port("model", "model"),)
    parameters = (
        text(
            "folder",
            "final-model",
            "Folder to write to; a relative one lies under the output folder of the run.",
            required=True,
            widget="folder",
        ),
        choice("dtype", "auto", ("auto", "float32", "bfloat16", "float16"), "Precision to save in; auto: as it is."),
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
        statement = call("copy_model", model.expression, output_expression(context["folder"]), **options)
        imports = ("from ryven_llm_nodes.runtime.stages import copy_model",)
        return Cell(imports, statement=f"{context.name} = {statement}")

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        if wrong := unwritable(context["folder"]):
            yield "folder", wrong


class ExportScript(LLMNode):
    """Writes the flow as one plain Python script on torch, transformers and TRL, without this package."""

    title = "Export Script"
    family = "output"
    stem = "script"
    tags = ["export", "script", "code", "generate", "python", "py"]
    in_ports = (Port("model", "model", optional=True, help="Any model of the flow; the script holds the whole flow."),)
    parameters = (
        text(
            "path",
            "pipeline.py",
            "File to write when the flow is run; a relative one lies under the output folder of the run.",
            required=True,
            widget="file",
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        return Cell()

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        if wrong := unwritable(context["path"]):
            yield "path", wrong
