"""The trainers: SFT, PPO, DPO and GRPO. Each is one function of the script, on TRL's own trainer and configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import ClassVar

from ryven_llm_nodes.catalogue.cell import Cell, RewardValue
from ryven_llm_nodes.catalogue.columns import missing_columns, taken_columns
from ryven_llm_nodes.catalogue.fields import config_fields, own_fields
from ryven_llm_nodes.catalogue.limits import rules
from ryven_llm_nodes.catalogue.node import Complaint, LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter, number, whole
from ryven_llm_nodes.catalogue.places import looks_local, resolve
from ryven_llm_nodes.catalogue.stage import EXTRA_STEPS, FILE_FIELDS, HUB_FIELDS, Stage
from ryven_llm_nodes.errors import shown, suggestion

MODEL = Port("model", "model", help="The policy that is trained: where it is loaded from.")
DATASET = Port("dataset", "dataset", help="The rows to train on.")
REWARD = Port("reward", "reward", help="What completions are scored by; several go through Combine Rewards.")
REFERENCE = Port(
    "reference", "model", True, "The reference model, usually the SFT model; without it, the policy as it enters."
)
EVAL = Port("eval_dataset", "dataset", optional=True, help="Rows to evaluate on, once an epoch unless set otherwise.")
ADAPTER = Port("adapter", "adapter", optional=True, help="A LoRA adapter to train in place of all weights.")
DATA_PORTS = (DATASET.name, EVAL.name)
TRAINED = Port("model", "model", help="The trained policy, any adapter merged into it.")

WITHHELD: Mapping[str, str] = {
    "output_dir": "is chosen by the run: use --output-dir.",
    "hub_token": "is a secret, and secrets are not stored in a flow; log in with `hf auth login`.",
    "push_to_hub_token": "is a secret, and secrets are not stored in a flow; log in with `hf auth login`.",
    "trust_remote_code": "is set on Load Model, for all stages of that model.",
    "disable_tqdm": "is decided by whoever shows the run.",
    "resume_from_checkpoint": "is decided by the run.",
}
FIXED_BY_PPO = ("num_generations", "num_generations_eval", "beta", "scale_rewards", "loss_type")
WITH_LORA = 10
"""How much higher a learning rate is with a LoRA adapter than for all weights; the help of each rate says so."""
PPO_ESSENTIALS = ("learning_rate", "epsilon", "vf_coef", "entropy_coef", "gamma", "lam", "kl_coef")


LONGER = whole(
    EXTRA_STEPS,
    0,
    "Optimizer steps to go on for after the training above has ended, from its last checkpoint: weights, optimizer and "
    "data order go on, and the learning rate follows a schedule over the whole length. A finished stage that differs "
    "in nothing else is gone on from.",
    at_least=0,
)


class Trainer(LLMNode):
    """Base of the trainers.

    Its parameters are the essential ones, declared here with the defaults and ranges of this project, and every other
    field of TRL's configuration class as the installed version declares it.
    """

    family = "trainer"
    config: ClassVar[str] = ""
    trainer: ClassVar[str] = ""
    samples: ClassVar[bool] = False
    """Whether completions are sampled while it trains."""
    imports: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[tuple[str, ...], ...]] = ()
    withheld: ClassVar[Mapping[str, str]] = WITHHELD
    out_ports = (TRAINED,)

    @classmethod
    @lru_cache
    def all_parameters(cls) -> Mapping[str, Parameter]:
        own = {parameter.name: parameter for parameter in cls.parameters}
        fields = {n: field for n, field in config_fields(cls.config).items() if n not in cls.withheld}
        return own | {LONGER.name: LONGER} | {name: field for name, field in fields.items() if name not in own}

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        return Stage(cls, context, cls.settings(context)).cell()

    @classmethod
    def settings(cls, context: NodeContext) -> dict[str, JSON]:
        """The fields of the configuration that differ from the installed class's own defaults."""
        fields = config_fields(cls.config)
        names = [p.name for p in cls.parameters if p.name in fields] + [n for n in fields if n in context.given]
        values = {name: context[name] for name in names}
        if "eval_dataset" in context.inputs and "eval_strategy" not in context.given:
            values["eval_strategy"] = "epoch"
        return {name: value for name, value in values.items() if value != fields[name].default}

    @classmethod
    def needs(cls, context: NodeContext) -> tuple[tuple[str, ...], ...]:
        """The groups of columns of which the data set must have one."""
        return cls.columns

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from rules(context)
        yield from cls._missing_files(context)
        yield from cls._extra_complaints(context)
        for port in DATA_PORTS:
            columns = getattr(context.inputs.get(port), "columns", None)
            if columns is not None:
                yield from ((port, wrong) for wrong in cls.column_complaints(context, columns))

    @classmethod
    def column_complaints(cls, context: NodeContext, columns: tuple[str, ...]) -> Iterator[str]:
        """What is wrong with a data set that has ``columns``."""
        yield from missing_columns(cls.title, cls.needs(context), columns)
        if cls.samples:
            yield from taken_columns(columns)

    @classmethod
    def _extra_complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        if not context[EXTRA_STEPS]:
            return
        if context["save_strategy"] == "no":
            yield EXTRA_STEPS, "goes on from a checkpoint, but save_strategy is 'no'; set it to steps or epoch."
        if context["save_only_model"]:
            yield EXTRA_STEPS, "goes on with the optimizer too, which save_only_model leaves out; clear that."

    @classmethod
    def _missing_files(cls, context: NodeContext) -> Iterator[Complaint]:
        for name in FILE_FIELDS:
            value = context.given.get(name)
            is_there = os.path.exists if name in HUB_FIELDS else os.path.isfile
            is_place = isinstance(value, str) and (looks_local(value) or name not in HUB_FIELDS)
            if is_place and not is_there(resolve(value, context.root)):
                yield name, f"{shown(value)} does not exist (looked in {context.root}); correct the path."

    @classmethod
    def _unknown(cls, name: str) -> str:
        if name in cls.withheld:
            return cls.withheld[name]
        return f"{cls.config} has no such field.{suggestion(name, list(cls.all_parameters()))}"


def _batch(default: int, typical: str = "8 to 32") -> Parameter:
    help_text = "Rows (for PPO and GRPO: completions) of one forward pass on one device."
    return whole("per_device_train_batch_size", default, help_text, at_least=1, typical=typical)


def _epochs(default: float, typical: str = "") -> Parameter:
    return number(
        "num_train_epochs", default, "Passes over the data; max_steps, if set, wins.", above=0, typical=typical
    )


def _rate(default: float, typical: str) -> Parameter:
    return number("learning_rate", default, "Highest learning rate of AdamW.", above=0, at_most=1, typical=typical)


class SFT(Trainer):
    """Supervised fine-tuning: the model learns to continue prompts as the data set does.

    Needs ``messages`` (a conversation), ``prompt`` + ``completion``, or plain ``text``.
    """

    title = "SFT"
    stem = "sft"
    tags = ["sft", "supervised", "fine-tuning", "instruction", "train"]
    config = "SFTConfig"
    trainer = "SFTTrainer"
    imports = ("from trl import SFTConfig, SFTTrainer",)
    in_ports = (MODEL, DATASET, ADAPTER, EVAL)
    parameters = (
        _rate(5e-5, "1e-6 to 5e-5 (LoRA: about ten times that)"),
        _batch(8),
        _epochs(3.0, "2 to 5"),
        number("weight_decay", 0.01, "Weight decay of AdamW.", at_least=0, typical="0 to 0.1"),
        number(
            "warmup_steps",
            500,
            "Steps (below 1: share of all steps) in which the learning rate rises.",
            at_least=0,
        ),
    )

    @classmethod
    def needs(cls, context: NodeContext) -> tuple[tuple[str, ...], ...]:
        return (("messages",), ("prompt", "completion"), (str(context["dataset_text_field"]),))


class PPO(Trainer):
    """Proximal policy optimization (arXiv 1707.06347): raises the reward of sampled completions, near the reference.

    A learned value head, generalized advantage estimation, and a KL penalty per token against the policy as it
    entered. The reward may be any reward function or reward model. Needs a ``prompt`` column.
    """

    title = "PPO"
    stem = "ppo"
    tags = ["ppo", "proximal", "policy", "rlhf", "reward", "value", "train", "rl"]
    config = "PPOConfig"
    trainer = "PPOTrainer"
    samples = True
    imports = ("from ryven_llm_nodes.runtime.ppo import PPOConfig, PPOTrainer",)
    columns = (("prompt",),)
    withheld = WITHHELD | dict.fromkeys(FIXED_BY_PPO, "is fixed by PPO: one completion a prompt, its own KL (kl_coef).")
    in_ports = (MODEL, DATASET, REWARD, ADAPTER, EVAL)
    parameters = (*own_fields("PPOConfig", PPO_ESSENTIALS), _batch(8))


class DPO(Trainer):
    """Direct preference optimization (arXiv 2305.18290): learns from pairs of a chosen and a rejected completion.

    Needs ``prompt``, ``chosen`` and ``rejected``; the prompt may also be the common start of both.
    """

    title = "DPO"
    stem = "dpo"
    tags = ["dpo", "preference", "direct", "chosen", "rejected", "pairs", "train"]
    config = "DPOConfig"
    trainer = "DPOTrainer"
    imports = ("from trl import DPOConfig, DPOTrainer",)
    columns = (("prompt", "chosen", "rejected"), ("chosen", "rejected"))
    in_ports = (MODEL, DATASET, REFERENCE, ADAPTER, EVAL)
    parameters = (
        _rate(5e-6, "1e-7 to 5e-6 (LoRA: about ten times that)"),
        number(
            "beta",
            0.1,
            "How strongly the policy is held to the reference model.",
            above=0,
            at_most=1000,
            typical="0.1 to 0.5",
        ),
        _batch(8),
    )


class GRPO(Trainer):
    """Group relative policy optimization (arXiv 2402.03300), with a threshold its reward-penalized form.

    Several completions a prompt are sampled, and each is reinforced by how far its reward lies above its group's mean.
    With a *reward threshold* t this node is what its users call Generalized Reward-Penalized Optimization: a
    completion with reward r of at least t keeps r, one below is penalised by its shortfall and gets r - t, before the
    group-relative advantage is taken. An empty threshold is plain Group Relative Policy Optimization.
    """

    title = "GRPO"
    stem = "grpo"
    tags = ["grpo", "group", "relative", "policy", "reward", "threshold", "penalized", "rlvr", "train", "rl"]
    config = "GRPOConfig"
    trainer = "GRPOTrainer"
    samples = True
    imports = ("from trl import GRPOConfig, GRPOTrainer",)
    columns = (("prompt",),)
    in_ports = (MODEL, DATASET, REWARD, ADAPTER, EVAL)
    parameters = (
        _rate(2e-6, "1e-7 to 2e-6 (LoRA: about ten times that)"),
        number("epsilon", 0.1, "Clip range of the policy ratio.", above=0, below=1, typical="0.1 to 0.2"),
        Parameter(
            name="reward_threshold",
            types=(float, type(None)),
            default=0.7,
            help="A completion whose reward r is below this t gets r - t instead of r; empty: plain GRPO.",
            typical="0.5 to 0.9 of the highest reward",
        ),
        _batch(8),
        whole("num_generations", 8, "Completions a prompt: the group that advantages are relative to.", at_least=2),
    )

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().complaints(context)
        reward = context.inputs.get("reward")
        parts = reward.parts if isinstance(reward, RewardValue) else ()
        if context["reward_threshold"] is not None and any(part.is_async for part in parts):
            yield "reward_threshold", "works with plain functions only; make the async reward plain, or clear this."
        yield from cls._group_complaints(context)

    @staticmethod
    def _group_complaints(context: NodeContext) -> Iterator[Complaint]:
        size, group = context["per_device_train_batch_size"], context["num_generations"]
        accumulation = context["gradient_accumulation_steps"]
        if {"generation_batch_size", "steps_per_generation"} & set(context.given):
            return  # then the batch that is generated is another one; TRL checks it when the configuration is built
        if isinstance(accumulation, int) and (count := size * accumulation * context.processes) % group:
            factors = f"per_device_train_batch_size {size} x gradient_accumulation_steps {accumulation}"
            factors += f" x {context.processes} processes" if context.processes > 1 else ""
            yield "num_generations", f"must divide the {count} completions of a step ({factors}), got {shown(group)}."
