"""Adapters: what is trained in place of all weights."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import AdapterValue, Cell, call, indent, literal
from ryven_llm_nodes.catalogue.node import Complaint, LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import Parameter, number, whole
from ryven_llm_nodes.errors import shown


class LoRA(LLMNode):
    """A LoRA adapter (arXiv 2106.09685): trains small matrices beside the frozen weights, for far less memory.

    One node serves any number of trainers. Each trains a fresh adapter and merges it into the model at its end.
    """

    title = "LoRA"
    family = "adapter"
    stem = "lora"
    tags = ["lora", "peft", "adapter", "low-rank", "memory"]
    out_ports = (Port("adapter", "adapter"),)
    parameters = (
        whole("r", 8, "Rank of the adapter matrices.", at_least=1, typical="8 to 64"),
        whole("lora_alpha", 16, "Scale of the adapter; it acts as alpha / r.", at_least=1, typical="r to 2 r"),
        number("lora_dropout", 0.0, "Dropout inside the adapter.", at_least=0, below=1, typical="0 to 0.1"),
        Parameter(
            name="target_modules",
            types=(str, list),
            default="all-linear",
            help="Modules to adapt: all-linear, or names such as q_proj, v_proj.",
            required=True,
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        config = call(
            "LoraConfig",
            r=literal(context["r"]),
            lora_alpha=literal(context["lora_alpha"]),
            lora_dropout=literal(context["lora_dropout"]),
            target_modules=literal(_modules(context["target_modules"])),
            task_type='"CAUSAL_LM"',
        )
        definition = f"def {context.name}() -> LoraConfig:\n{indent('return ' + config)}"
        value = AdapterValue(f"{context.name}()")
        return Cell(("from peft import LoraConfig",), definition, values={"adapter": value})

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        given = context["target_modules"]
        names = _modules(given)
        if not names or (isinstance(names, list) and not all(isinstance(n, str) and n.strip() for n in names)):
            yield "target_modules", f"must be all-linear or module names (q_proj, v_proj), got {shown(given)}."


def _modules(given: str | list[str]) -> str | list[str]:
    """``q_proj, v_proj`` as a list; a single word (``all-linear``, or a regular expression) as it is."""
    if isinstance(given, str) and "," in given:
        return [name.strip() for name in given.split(",") if name.strip()]
    return given
