"""Methods that sample completions while they train, and reinforce them by a reward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.cell import layout
from ryven_llm_nodes.catalogue.columns import taken_columns
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import Parameter, whole
from ryven_llm_nodes.catalogue.training.choices import compared
from ryven_llm_nodes.catalogue.training.global_batch import GLOBAL, global_batch
from ryven_llm_nodes.catalogue.training.limits import (
    COUNT,
    MANY,
    MAPPING,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Limits,
    choices_of,
)
from ryven_llm_nodes.catalogue.training.stage import Part
from ryven_llm_nodes.catalogue.training.trainer import ADAPTER, DATASET, EVAL, FREQUENT, MODEL, Trainer
from ryven_llm_nodes.catalogue.values import RewardValue, Value
from ryven_llm_nodes.errors import shown

REWARD: Final = Port("reward", "reward", help="What completions are scored by; combine several with Combine Rewards.")
SAMPLING: Final[Limits] = {
    "max_completion_length": COUNT | {"types": (int,)},
    "num_generations": COUNT,
    "num_generations_eval": COUNT,
    "generation_batch_size": COUNT,
    "steps_per_generation": COUNT,
    "temperature": {"above": 0, "at_most": 1000},
    "top_p": {"above": 0, "at_most": 1},
    "top_k": {"at_least": 0, "at_most": MANY},
    "min_p": SHARE,
    "repetition_penalty": {"above": 0, "at_most": 1000},
    "cache_implementation": {"choices": ("dynamic", "static", "offloaded", "offloaded_static", "quantized")},
    "generation_kwargs": MAPPING,
    "chat_template_kwargs": MAPPING,
    "transformers_continuous_batching_config": MAPPING,
    "max_tool_calling_iterations": COUNT,
    "num_completions_to_print": COUNT,
    "num_iterations": COUNT,
    "beta": NOT_NEGATIVE,
    "epsilon_high": POSITIVE,
    "delta": POSITIVE,
    "sapo_temperature_neg": POSITIVE,
    "sapo_temperature_pos": POSITIVE,
    "vespo_k_pos": NOT_NEGATIVE,
    "vespo_k_neg": NOT_NEGATIVE,
    "vespo_lambda_pos": NOT_NEGATIVE,
    "vespo_lambda_neg": NOT_NEGATIVE,
    "top_entropy_quantile": SHARE,
    "entropy_coef": NOT_NEGATIVE,
    "entropy_coef_min": NOT_NEGATIVE,
    "entropy_coef_max": NOT_NEGATIVE,
    "entropy_coef_delta": NOT_NEGATIVE,
    "entropy_target": NOT_NEGATIVE,
    "router_aux_loss_coef": NOT_NEGATIVE,
    "off_policy_mask_threshold": NOT_NEGATIVE,
    "ref_model_mixup_alpha": SHARE,
    "ref_model_sync_steps": COUNT,
    "reward_weights": {"items": (float,)},
    "scale_rewards": lambda: {
        "types": (str, bool),
        "choices": (*compared("trl/trainer/grpo_trainer.py", "scale_rewards"), True, False),
    },
    "loss_type": choices_of("trainer/grpo_trainer", "loss_type"),
    "importance_sampling_level": choices_of("trainer/grpo_trainer", "importance_sampling_level"),
    "multi_objective_aggregation": choices_of("trainer/grpo_trainer", "multi_objective_aggregation"),
    "vllm_mode": choices_of("trainer/grpo_trainer", "vllm_mode"),
    "vllm_model_impl": {"choices": ("vllm", "transformers")},
    "vllm_importance_sampling_mode": choices_of("trainer/grpo_trainer", "vllm_importance_sampling_mode"),
    "vllm_gpu_memory_utilization": {"above": 0, "at_most": 1},
    "vllm_server_port": {"at_least": 1, "at_most": 65535},
    "vllm_group_port": {"at_least": 1, "at_most": 65535},
    "vllm_server_timeout": {"at_least": 0, "at_most": 1e6},
    "vllm_max_model_length": COUNT,
    "vllm_tensor_parallel_size": COUNT,
    "vllm_importance_sampling_clip_max": POSITIVE,
    "vllm_importance_sampling_clip_min": NOT_NEGATIVE,
    "vllm_importance_sampling_cap": POSITIVE,
}
"""The fields of rollouts and of the losses on them."""


class SamplingTrainer(Trainer):
    """Base of the methods that need prompts and a reward."""

    columns = (("prompt",),)
    sequences = ()
    best = "eval_reward"
    frequent = ("max_completion_length", "temperature", "beta", *FREQUENT)
    in_ports = (MODEL, DATASET, REWARD, ADAPTER, EVAL)

    @classmethod
    def own_parts(cls, context: NodeContext) -> Iterator[Part]:
        reward = context.inputs["reward"]
        assert isinstance(reward, RewardValue)
        settings = {"reward_weights": reward.weights} if reward.weights else {}
        yield Part({"reward_funcs": reward_list(reward)}, reward.imports, settings)

    @classmethod
    def copies_policy(cls, context: NodeContext) -> bool:
        return bool(context["beta"]) and "adapter" not in context.inputs

    @classmethod
    def column_complaints(cls, context: NodeContext, columns: tuple[str, ...]) -> Iterator[str]:
        yield from super().column_complaints(context, columns)
        yield from taken_columns(columns)
        yield from _unread_columns(context.inputs.get("reward"), columns)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from super().drawn(context)
        reward = context.inputs.get("reward")
        if isinstance(reward, RewardValue):
            yield from cls.reward_complaints(context, reward)
        yield from _completions(context)

    @classmethod
    def reward_complaints(cls, context: NodeContext, reward: RewardValue) -> Iterator[Complaint]:
        """What is wrong between the settings and the reward that is wired."""
        yield from wrong_weights(context, len(reward.parts))


def _unread_columns(reward: Value | None, columns: tuple[str, ...]) -> Iterator[str]:
    """Columns that rewards read, and the dataset has not."""
    for part in reward.parts if isinstance(reward, RewardValue) else ():
        for name in part.columns:
            if name not in columns:
                there = ", ".join(map(repr, columns)) or "none"
                yield f"the reward {part.owner!r} reads the column {name!r}; the dataset has {there}. Name another one."


def reward_list(reward: RewardValue) -> str:
    """The reward callables as an expression for a list."""
    return layout("[", (part.expression for part in reward.parts), "]")


def wrong_weights(context: NodeContext, count: int) -> Iterator[Complaint]:
    """``reward_weights`` that are not one for each of ``count`` rewards."""
    given = context.given.get("reward_weights")
    if given is not None and len(given) != count:
        rewards = "1 reward" if count == 1 else f"{count} rewards"
        yield "reward_weights", f"needs one weight for each of {rewards}, got {shown(given)}; use Combine Rewards."


def _completions(context: NodeContext) -> Iterator[Complaint]:
    has_repo = context.has("log_completions_hub_repo") and context["log_completions_hub_repo"] is not None
    if has_repo and not context["log_completions"]:
        yield "log_completions_hub_repo", "is where completions are uploaded to; set log_completions, or clear this."
    if context["auto_find_batch_size"]:
        yield (
            "auto_find_batch_size",
            "works with SFT and DPO only: groups of completions must stay complete; lower per_device_train_batch_size.",
        )
    if all(context.given.get(name) is not None for name in ("generation_batch_size", "steps_per_generation")):
        yield "steps_per_generation", "sets the same quantity as generation_batch_size; clear one of the two."


def group_complaints(context: NodeContext) -> Iterator[Complaint]:
    """A step takes full groups of completions of the same prompt."""
    size, group = context["per_device_train_batch_size"], context["num_generations"]
    accumulation = context["gradient_accumulation_steps"]
    if {"generation_batch_size", "steps_per_generation"} & set(context.given):
        return  # then the generation batch is a different one; TRL checks it when the configuration is built
    if rows := global_batch(context):
        if rows % group:
            yield "num_generations", f"must divide the {rows} completions per step ({GLOBAL.name}), got {shown(group)}."
        return
    if isinstance(accumulation, int) and (count := size * accumulation * context.processes) % group:
        factors = f"per_device_train_batch_size {size} x gradient_accumulation_steps {accumulation}"
        factors += f" x {context.processes} processes" if context.processes > 1 else ""
        yield "num_generations", f"must divide the {count} completions per step ({factors}), got {shown(group)}."


def group_size() -> Parameter:
    """How many completions of a prompt are compared with each other."""
    help_text = "Completions per prompt: the group that advantages are relative to."
    return whole("num_generations", 8, help_text, at_least=2)
