"""SFT: supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import NOT_NEGATIVE, TEXT, Limits, choices_of
from ryven_llm_nodes.catalogue.training.trainer import (
    ADAPTER,
    DATASET,
    EVAL,
    MODEL,
    Trainer,
    batch_size,
    epochs,
    learning_rate,
)
from ryven_llm_nodes.catalogue.training.trainer_functions import METRICS
from ryven_llm_nodes.catalogue.values import DatasetValue

LIMITS: Final[Limits] = {
    "loss_type": choices_of("trainer/sft_trainer", "loss_type"),
    "truncation_mode": choices_of("trainer/sft_trainer", "truncation_mode"),
    "packing_strategy": choices_of("data_utils", "strategy"),
    "router_aux_loss_coef": NOT_NEGATIVE,
    "dataset_text_field": TEXT,
}


class SFT(Trainer):
    """Supervised fine-tuning: the model learns to continue prompts as the dataset does.

    Needs ``messages`` (a conversation), ``prompt`` + ``completion``, plain ``text``, or ``input_ids`` (tokenized rows,
    with ``labels`` where not all tokens are to be learned).
    """

    title = "SFT"
    stem = "sft"
    position = 1
    tags = ["sft", "supervised", "fine-tuning", "instruction", "train"]
    config = ConfigClass("SFTConfig", ("trl/trainer/sft_config.py:SFTConfig",), LIMITS)
    trainer = "SFTTrainer"
    resumes_on_any = True
    curves = ("loss",)
    imports = ("from trl import SFTConfig, SFTTrainer",)
    companions = {"prompt": "completion"}
    reserved = {"labels": "token ids"}
    in_ports = (MODEL, DATASET, ADAPTER, EVAL, METRICS)
    parameters = (
        learning_rate(5e-5, "1e-6 to 5e-5 (LoRA: about ten times that)"),
        batch_size(8),
        epochs(3.0, "2 to 5"),
        number("weight_decay", 0.01, "Weight decay of AdamW.", at_least=0, typical="0 to 0.1"),
        number(
            "warmup_steps",
            500,
            "Warmup steps of the learning rate (below 1: fraction of all steps).",
            at_least=0,
        ),
    )

    @classmethod
    def needs(cls, context: NodeContext) -> tuple[tuple[str, ...], ...]:
        return (("messages",), ("prompt", "completion"), (str(context["dataset_text_field"]),), ("input_ids",))

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        yield from _padding_free(context)
        yield from _conversations(context)


def _padding_free(context: NodeContext) -> Iterator[Complaint]:
    if context.given.get("padding_free") and not context["packing"] and context["max_length"] is not None:
        yield "padding_free", "does not truncate rows to max_length; set packing to true, or max_length to null."
    if (context["packing"] or context["eval_packing"]) and context["max_length"] is None:
        name = "packing" if context["packing"] else "eval_packing"
        yield name, "fills rows of max_length tokens; set max_length, or clear this."


def _conversations(context: NodeContext) -> Iterator[Complaint]:
    """As far as the columns tell; the rest is checked when the rows are loaded."""
    data = context.inputs.get("dataset")
    columns = data.columns if isinstance(data, DatasetValue) else None
    if context.given.get("assistant_only_loss") and columns is not None and not {"messages", "prompt"} & set(columns):
        yield "assistant_only_loss", "works with conversations (a column 'messages') only; clear it."
    if context.given.get("completion_only_loss") and columns is not None and "completion" not in columns:
        yield (
            "completion_only_loss",
            "needs the columns 'prompt' and 'completion'; clear it, or use assistant_only_loss.",
        )
