"""LoRA: low-rank matrices that are trained in place of all weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import Cell, call, indent, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import Parameter, flag, number, whole
from ryven_llm_nodes.catalogue.values import AdapterValue
from ryven_llm_nodes.errors import shown

HEADS: Final = ("lm_head", "embed_out")
"""What models call their output embeddings."""


class LoRA(LLMNode):
    """A LoRA adapter (arXiv 2106.09685): trains low-rank matrices on top of frozen weights, with far less memory.

    One node can feed any number of trainers. Each trains a fresh adapter and merges it into the model at its end.
    If tied embeddings are among the target modules, they are untied in the saved model.
    """

    title = "LoRA"
    stem = "lora"
    icon = accent = "adapter"
    tags = ["lora", "peft", "adapter", "low-rank", "memory"]
    out_ports = (Port("adapter", "adapter"),)
    parameters = (
        whole("r", 8, "Rank of the adapter matrices.", at_least=1, typical="8 to 64"),
        whole("lora_alpha", 16, "Scale of the adapter; it acts as alpha / r.", at_least=1, typical="r to 2 r"),
        number(
            "lora_dropout",
            0.0,
            "Dropout inside the adapter; PPO trains without it unless disable_dropout is turned off there.",
            at_least=0,
            below=1,
            typical="0 to 0.1",
        ),
        Parameter(
            name="target_modules",
            types=(str, list),
            default="all-linear",
            help="Modules to adapt: all-linear, or names such as q_proj, v_proj.",
            required=True,
        ),
        flag("use_rslora", False, "Scale the adapter by alpha / sqrt(r) (rsLoRA, arXiv 2312.03732)."),
        flag("use_dora", False, "Train magnitude and direction apart (DoRA, arXiv 2402.09353); slower."),
        flag(
            "keep_adapter",
            False,
            "Also save the adapter itself, in the folder adapter/ of the stage, next to the merged model.",
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
            **{name: literal(value) for name, value in context.changed("use_rslora", "use_dora").items()},
            task_type='"CAUSAL_LM"',
        )
        definition = f"def {context.name}() -> LoraConfig:\n{indent('return ' + config)}"
        value = AdapterValue(expression=f"{context.name}()", keep=context["keep_adapter"])
        return Cell(("from peft import LoraConfig",), definition, values={"adapter": value})

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        given = context["target_modules"]
        names = _modules(given)
        if not names or (isinstance(names, list) and not all(isinstance(n, str) and n.strip() for n in names)):
            yield "target_modules", f"must be all-linear or module names (q_proj, v_proj), got {shown(given)}."
        elif heads := {*HEADS}.intersection([names] if isinstance(names, str) else names):
            why = "trainers read the weight of the head directly, so an adapter there would not be trained"
            yield "target_modules", f"must not contain {heads.pop()}: {why}. Remove it; embed_tokens may be adapted."


def _modules(given: str | list[str]) -> str | list[str]:
    """``q_proj, v_proj`` as a list; a single word (``all-linear``, or a regular expression) unchanged."""
    if isinstance(given, str) and "," in given:
        return [name.strip() for name in given.split(",") if name.strip()]
    return given
