"""GKD: generalized knowledge distillation, on the rows of a dataset and on completions of the student."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.methods.distillation import BY_THE_WIRE, TEACHER
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import number, whole
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.limits import SHARE, Limits
from ryven_llm_nodes.catalogue.training.references import teacher_part
from ryven_llm_nodes.catalogue.training.stage import Part, tokenizer_part
from ryven_llm_nodes.catalogue.training.trainer import (
    ADAPTER,
    DATASET,
    EVAL,
    MODEL,
    WITHHELD,
    Trainer,
    batch_size,
    learning_rate,
)

LIMITS: Final[Limits] = {"lmbda": SHARE, "beta": SHARE, "temperature": {"above": 0, "at_most": 1000}}
UNPREPARED: Final = "has no effect: GKD takes conversations as they are."


class GKD(Trainer):
    """Generalized knowledge distillation (arXiv 2306.13649): learns the teacher's distribution of every token.

    A share of the steps is on completions that the model samples, the rest on those of the rows. Needs ``messages``;
    the last one is the completion. The teacher must have the same vocabulary. Experimental in TRL: it may change or be
    removed there.
    """

    title = "GKD"
    stem = "gkd"
    position = 10
    tags = ["gkd", "generalized", "distillation", "distill", "teacher", "student", "jensen-shannon", "kl", "train"]
    config = ConfigClass(
        "GKDConfig", ("trl/experimental/gkd/gkd_config.py:GKDConfig", "trl/trainer/sft_config.py:SFTConfig"), LIMITS
    )
    trainer = "GKDTrainer"
    curves = ("loss",)
    head = "logits"
    imports = ("from trl.experimental.gkd import GKDConfig, GKDTrainer",)
    columns = (("messages",),)
    in_ports = (MODEL, DATASET, TEACHER, ADAPTER, EVAL)
    withheld = (
        WITHHELD
        | dict.fromkeys(("teacher_model_name_or_path", "teacher_model_init_kwargs"), BY_THE_WIRE)
        | dict.fromkeys(
            ("packing", "padding_free", "assistant_only_loss", "completion_only_loss", "dataset_kwargs"), UNPREPARED
        )
    )
    parameters = (
        learning_rate(1e-6, "1e-7 to 1e-5 (LoRA: about ten times that)"),
        number("lmbda", 0.5, "Share of the steps on completions of the model itself.", at_least=0, at_most=1),
        number(
            "beta",
            0.5,
            "Divergence from the teacher: 0 is the forward KL, 1 the reverse KL, 0.5 the Jensen-Shannon divergence.",
            at_least=0,
            at_most=1,
        ),
        whole("max_new_tokens", 128, "Tokens of a sampled completion, at most.", at_least=1, typical="64 to 512"),
        batch_size(8),
    )

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        yield teacher_part(context)
        yield tokenizer_part(context)
