"""Load Model: the pre-trained model that a pipeline begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.files import File
from ryven_llm_nodes.catalogue.findings import Complaint, Pretrained
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Package, Port
from ryven_llm_nodes.catalogue.parameters import JSON, choice, text
from ryven_llm_nodes.catalogue.places import location_expression
from ryven_llm_nodes.catalogue.pretrained import (
    DTYPES,
    REHEARSAL,
    REVISION,
    TRUST,
    local_files,
    model_complaints,
    pretrained,
    rehearsed,
)
from ryven_llm_nodes.catalogue.quantization import NONE, PACKAGE, QUANTIZATION
from ryven_llm_nodes.catalogue.values import ModelValue


class LoadModel(LLMNode):
    """A pre-trained causal language model, from the Hugging Face Hub or a local folder.

    Nothing is loaded here: the wire carries the model's location, and each stage loads it from there.
    """

    title = "Load Model"
    position = 1
    stem = "base_model"
    icon = accent = "model"
    tags = ["model", "llm", "hub", "pretrained", "llama", "smollm", "load", "checkpoint"]
    out_ports = (Port("model", "model"),)
    parameters = (
        text(
            "path",
            "",
            "Hub id (owner/name) or local folder of the model. Relative paths are looked up next to the flow file.",
            required=True,
            typical="HuggingFaceTB/SmolLM2-135M-Instruct or ./my-model",
            widget="folder",
        ),
        REVISION,
        choice("dtype", "float32", DTYPES, "Precision of the weights; float32 trains with bf16 autocast on a GPU."),
        text(
            "attn_implementation",
            "",
            "Attention implementation; empty: the library's choice.",
            typical="sdpa, eager, flash_attention_2",
        ),
        QUANTIZATION,
        TRUST,
        REHEARSAL,
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        init = {"dtype": context["dtype"], "attn_implementation": context["attn_implementation"]}
        defaults = {"dtype": "float32", "attn_implementation": ""}
        value = ModelValue(
            expression=context.name,
            init={name: value for name, value in init.items() if value != defaults[name]},
            revision=context["revision"] or None,
            trust_remote_code=context["trust_remote_code"],
            quantization="" if context["quantization"] == NONE else context["quantization"],
        )
        return Cell(
            statement=f"{context.name} = {location_expression(context['path'], context.root)}", values={"model": value}
        )

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return rehearsed(given)

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        yield from local_files(context)

    @classmethod
    def packages(cls, context: NodeContext) -> Iterator[Package]:
        if context["quantization"] != NONE:
            yield PACKAGE

    @classmethod
    def pretrained(cls, context: NodeContext) -> Pretrained:
        return pretrained(context)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from model_complaints(context)
