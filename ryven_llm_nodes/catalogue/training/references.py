"""The reference model of methods that keep the policy close to it: its port, its part of a stage, and its checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.quantization import quantization_imports, quantization_keywords
from ryven_llm_nodes.catalogue.training.stage import Part
from ryven_llm_nodes.catalogue.values import ModelValue

REFERENCE: Final = Port(
    "reference", "model", True, "The reference model, usually the SFT model; default: the initial policy."
)


def reference_part(context: NodeContext) -> Iterator[Part]:
    """The connected reference, loaded when the stage begins, and not at all if the stage is finished."""
    reference = context.inputs.get(REFERENCE.name)
    if isinstance(reference, ModelValue):
        yield loaded_later("ref_model", reference)


def teacher_part(context: NodeContext) -> Part:
    """A teacher, which is loaded when the stage begins."""
    teacher = context.inputs["teacher"]
    assert isinstance(teacher, ModelValue)
    return loaded_later("teacher_model", teacher)


def loaded_later(keyword: str, reference: ModelValue) -> Part:
    """Another model, as the argument ``keyword``, which is loaded when the stage begins."""
    kwargs = {"dtype": "float32", **reference.init_kwargs}
    kwargs |= {"trust_remote_code": True} if reference.trust_remote_code else {}
    texts = {name: literal(value) for name, value in kwargs.items()} | quantization_keywords(reference)
    imports = (
        "from functools import partial",
        "from transformers import AutoModelForCausalLM",
        *quantization_imports(reference),
    )
    return Part(
        {keyword: call("partial", "AutoModelForCausalLM.from_pretrained", reference.expression, **texts)}, imports
    )


def copies_policy(context: NodeContext) -> bool:
    """Whether the reference is a copy of the policy: not where one is connected, or where the adapter is disabled."""
    is_other = REFERENCE.name in context.inputs or "adapter" in context.inputs
    return not is_other and not context.given.get("precompute_ref_log_probs")


def reference_complaints(context: NodeContext) -> Iterator[Complaint]:
    """What is wrong with a reference that follows the policy."""
    if context.given.get("sync_ref_model"):
        remedy = "or clear it"
        if context.given.get("precompute_ref_log_probs"):
            yield "sync_ref_model", f"changes the reference, so precompute_ref_log_probs must be off, {remedy}."
        if "adapter" in context.inputs:
            yield "sync_ref_model", f"needs a separate reference model, unused with LoRA; remove the LoRA, {remedy}."
        elif "beta" in context.node.all_parameters() and not context["beta"]:
            yield "sync_ref_model", f"needs a reference model, which exists only if beta is above 0, {remedy}."
