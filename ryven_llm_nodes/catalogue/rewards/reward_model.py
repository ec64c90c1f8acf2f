"""Reward Model: a sequence classifier that scores completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ryven_llm_nodes.catalogue.cell import Cell, call, literal
from ryven_llm_nodes.catalogue.files import File
from ryven_llm_nodes.catalogue.findings import Complaint, Pretrained
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, choice, flag, text, whole
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
from ryven_llm_nodes.catalogue.values import RewardPart, RewardValue


class RewardModel(LLMNode):
    """A reward model: a sequence classifier with one label that scores prompt and completion together.

    Conversations go through its own chat template; plain text gets the special tokens that its own tokenizer adds.
    """

    title = "Reward Model"
    position = 2
    stem = "reward_model"
    icon = accent = "reward"
    tags = ["reward", "model", "classifier", "preference", "score", "rlhf"]
    out_ports = (Port("reward", "reward"),)
    parameters = (
        text(
            "path",
            "",
            "Hub id (owner/name) or local folder of a sequence classifier with one label.",
            required=True,
            typical="trl-lib/Qwen2-0.5B-Reward",
            widget="folder",
        ),
        REVISION,
        choice("dtype", "float32", DTYPES, "Precision that the reward model is loaded in."),
        whole("batch_size", 8, "Completions that are scored in one batch.", at_least=1),
        whole(
            "max_length",
            None,
            "Maximum number of tokens; longer texts are truncated on the left. Empty: the model's number of positions.",
            at_least=1,
            typical="512 to 4096",
        ),
        flag(
            "add_eos",
            False,
            "Append the tokenizer's end token to plain text: on if TRL's RewardTrainer trained it on plain text.",
        ),
        TRUST,
        REHEARSAL,
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        place = location_expression(context["path"], context.root)
        changed = context.changed("revision", "dtype", "batch_size", "max_length", "add_eos", "trust_remote_code")
        given = {name: literal(value) for name, value in changed.items()}
        expression = call("RewardModel", place, name=literal(context.name), **given)
        imports = ("from ryven_llm_nodes.runtime.rewards import RewardModel",)
        part = RewardPart(expression=expression, symbol="RewardModel", owner=context.name, imports=imports)
        return Cell(values={"reward": RewardValue(parts=(part,))})

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        return rehearsed(given)

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        yield from local_files(context)

    @classmethod
    def pretrained(cls, context: NodeContext) -> Pretrained:
        return pretrained(context, scores=True)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from model_complaints(context)
