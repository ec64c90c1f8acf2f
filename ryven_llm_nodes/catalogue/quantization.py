"""Models whose weights are loaded in fewer bits: the choices, their text, and what they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ryven_llm_nodes.catalogue.cell import call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON, choice
from ryven_llm_nodes.catalogue.values import ModelValue

NONE: Final = "none"
SETTINGS: Final[Mapping[str, Mapping[str, JSON]]] = {
    "4-bit": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "bfloat16"},
    "8-bit": {"load_in_8bit": True},
}
"""The arguments of ``BitsAndBytesConfig``, as in QLoRA (arXiv 2305.14314)."""
IMPORT: Final = "from transformers import BitsAndBytesConfig"
PACKAGE: Final = ("bitsandbytes", "'ryven-llm-nodes[quantization]'")
QUANTIZATION: Final = choice(
    "quantization",
    NONE,
    (NONE, *SETTINGS),
    "Bits of the weights in memory while a LoRA adapter is trained on them (bitsandbytes); the adapter is merged into "
    "the original weights.",
)


def quantization_keywords(model: ModelValue) -> dict[str, str]:
    """The keyword argument that loads ``model`` in fewer bits, as Python text; none if it is loaded as it is."""
    if not model.quantization:
        return {}
    settings = {name: literal(value) for name, value in SETTINGS[model.quantization].items()}
    return {"quantization_config": call("BitsAndBytesConfig", **settings)}


def quantization_imports(model: ModelValue) -> tuple[str, ...]:
    """What its text needs."""
    return (IMPORT,) if model.quantization else ()


def quantization_complaints(context: NodeContext, is_possible: bool) -> Iterator[Complaint]:
    """Why a model that is loaded in fewer bits cannot be trained."""
    model = context.inputs.get("model")
    if not isinstance(model, ModelValue) or not model.quantization:
        return
    what = f"is loaded in {model.quantization} (quantization of its Load Model)"
    if not is_possible:
        yield "model", f"{what}, which {context.node.title} does not support; set quantization to none."
    elif "adapter" not in context.inputs:
        remedy = "connect a LoRA adapter, or set quantization to none"
        yield "model", f"{what}, and such weights cannot be trained; {remedy}."
