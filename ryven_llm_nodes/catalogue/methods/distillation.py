"""Distillation: a student learns from a teacher on its own completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import number, whole
from ryven_llm_nodes.catalogue.training.fields import ConfigClass
from ryven_llm_nodes.catalogue.training.references import teacher_part
from ryven_llm_nodes.catalogue.training.sampling import SAMPLING
from ryven_llm_nodes.catalogue.training.stage import Part
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

TEACHER: Final = Port("teacher", "model", help="The model to learn from, with the same vocabulary.")
BY_THE_WIRE: Final = "is what is connected to teacher."


class Distillation(Trainer):
    """On-policy distillation (arXiv 2306.13649): the model samples completions, and learns what a teacher thinks of
    every token.

    Needs ``prompt``. The teacher must have the same vocabulary as the model.
    """

    title = "Distillation"
    stem = "distillation"
    position = 9
    tags = ["distillation", "distill", "teacher", "student", "gkd", "on-policy", "kl", "train"]
    config = ConfigClass("DistillationConfig", ("trl/trainer/distillation_config.py:DistillationConfig",), SAMPLING)
    trainer = "DistillationTrainer"
    curves = ("loss",)
    sequences = ()
    imports = ("from trl import DistillationConfig, DistillationTrainer",)
    columns = (("prompt",),)
    in_ports = (MODEL, DATASET, TEACHER, ADAPTER, EVAL)
    withheld = WITHHELD | dict.fromkeys(
        ("teacher_model_name_or_path", "teacher_model_revision", "teacher_model_init_kwargs"), BY_THE_WIRE
    )
    parameters = (
        learning_rate(1e-6, "1e-7 to 1e-5 (LoRA: about ten times that)"),
        number(
            "beta",
            1.0,
            "Divergence from the teacher: 0 is the forward KL, 1 the reverse KL, 0.5 the Jensen-Shannon divergence.",
            at_least=0,
            at_most=1,
        ),
        whole("max_completion_length", 512, "Tokens of a completion, at most.", at_least=1, typical="64 to 1024"),
        batch_size(8),
    )

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        yield teacher_part(context)
