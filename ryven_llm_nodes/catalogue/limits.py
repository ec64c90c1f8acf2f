"""What TRL and transformers demand of a field without saying so in its annotation: ranges, choices, combinations.

One table, applied where the fields are read (``fields.py``), so that form, check, command line and help all have it;
and the rules between fields, which a check asks. Choices that the library's source states are read from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ryven_llm_nodes.catalogue.cell import DatasetValue, RewardValue
from ryven_llm_nodes.catalogue.choices import compared, enumerated, keys
from ryven_llm_nodes.errors import shown

if TYPE_CHECKING:
    from ryven_llm_nodes.catalogue.node import Complaint, NodeContext

Limit = Mapping[str, Any]
"""Attributes of a Parameter, and the values that they get."""

NONE: Final = type(None)
MANY: Final = 2**20
"""More rows or tokens at once than any machine takes; without an end, a slip of the keyboard fills the memory."""
SEED: Final = {"at_least": 0, "at_most": 2**32 - 1}
COUNT: Final = {"at_least": 1, "at_most": MANY}
SHARE: Final = {"at_least": 0, "at_most": 1}
POSITIVE: Final = {"above": 0, "at_most": 1e6}
NOT_NEGATIVE: Final = {"at_least": 0, "at_most": 1e6}
MAPPING: Final = {"types": (dict, NONE)}
"""Text in JSON is for the command line of the library, which gives it to nobody."""
TEXT: Final = {"required": True}


def _of(values: Callable[..., tuple[str, ...]], *where: str, more: tuple[Any, ...] = ()) -> Callable[[], Limit]:
    return lambda: {"choices": (*values(*where), *more)}


def _enumeration(path: str, name: str) -> Callable[[], Limit]:
    return _of(enumerated, f"transformers/{path}.py", name)


def _compared(path: str, name: str) -> Callable[[], Limit]:
    return _of(compared, f"trl/{path}.py", name)


def _reports() -> Limit:
    names = keys("transformers/integrations/integration_utils.py", "INTEGRATION_TO_CALLBACK")
    return {"types": (str, list), "items": (str,), "choices": (*names, "all", "none")}


def _backends() -> Limit:
    return {"choices": tuple(name.lower() for name in enumerated("accelerate/utils/dataclasses.py", "DynamoBackend"))}


LEVELS: Final = _of(keys, "transformers/utils/logging.py", "log_levels", more=("passive",))

EVERY: Final[Mapping[str, Limit | Callable[[], Limit]]] = {
    # optimizer and schedule
    "num_train_epochs": {"above": 0, "at_most": 1e6},
    "max_steps": {"at_least": -1, "at_most": 2**31 - 1},
    "warmup_steps": {"at_least": 0, "at_most": 2**31 - 1},
    "lr_scheduler_type": _enumeration("trainer_utils", "SchedulerType"),
    "lr_scheduler_kwargs": MAPPING,
    "optim": _enumeration("training_args", "OptimizerNames"),
    "adam_beta1": {"at_least": 0, "below": 1},
    "adam_beta2": {"at_least": 0, "below": 1},
    "adam_epsilon": {"above": 0, "at_most": 1},
    "weight_decay": {"at_least": 0, "at_most": 1000},
    "max_grad_norm": {"at_least": 0},
    "label_smoothing_factor": SHARE,
    "neftune_noise_alpha": {"at_least": 0, "at_most": 1000},
    "optim_args": TEXT,
    "optim_target_modules": {"items": (str,)},
    # batches and data
    "gradient_accumulation_steps": COUNT,
    "per_device_eval_batch_size": COUNT,
    "max_length": {"at_least": 2, "at_most": 2**31 - 1},
    "pad_to_multiple_of": {"at_least": 1, "at_most": 4096, "choices": ("auto",)},
    "dataset_num_proc": {"at_least": 1, "at_most": 256},
    "dataset_kwargs": MAPPING,
    "dataloader_num_workers": {"at_least": 0, "at_most": 256},
    "dataloader_prefetch_factor": {"at_least": 1, "at_most": 1024},
    "label_names": {"items": (str,)},
    "seed": SEED,
    "data_seed": SEED,
    # models
    "model_init_kwargs": MAPPING,
    "chat_template_path": TEXT,
    "eos_token": TEXT,
    "pad_token": TEXT,
    "activation_checkpointing_kwargs": MAPPING,
    "gradient_checkpointing_kwargs": MAPPING,
    "torch_compile_backend": _backends,
    "torch_compile_mode": {"choices": ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")},
    "torch_empty_cache_steps": COUNT,
    # logs, evaluation, checkpoints
    "log_level": LEVELS,
    "log_level_replica": LEVELS,
    "logging_strategy": _enumeration("trainer_utils", "IntervalStrategy"),
    "logging_steps": {"above": 0, "at_most": 2**31 - 1},
    "report_to": _reports,
    "eval_strategy": _enumeration("trainer_utils", "IntervalStrategy"),
    "eval_steps": {"above": 0, "at_most": 2**31 - 1},
    "eval_delay": {"at_least": 0},
    "eval_accumulation_steps": COUNT,
    "include_for_metrics": {"items": (str,), "choices": ("inputs", "loss")},
    "include_num_input_tokens_seen": {"choices": ("all", "non_padding", "no")},
    "save_strategy": _enumeration("trainer_utils", "SaveStrategy"),
    "save_steps": {"above": 0, "at_most": 2**31 - 1},
    "save_total_limit": COUNT,
    "hub_strategy": _enumeration("trainer_utils", "HubStrategy"),
    # processes
    "accelerator_config": TEXT,
    "fsdp_config": TEXT,
    "deepspeed": TEXT,
    "ddp_bucket_cap_mb": COUNT,
    "ddp_timeout": {"at_least": 1, "at_most": 10**8},
    "debug": {"items": (str,)},
    "local_rank": {"refused": "is set by the launcher (accelerate, torchrun) of each process; clear it."},
}
SAMPLING: Final[Mapping[str, Limit | Callable[[], Limit]]] = {
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
    "loss_type": _compared("trainer/grpo_trainer", "loss_type"),
    "importance_sampling_level": _compared("trainer/grpo_trainer", "importance_sampling_level"),
    "multi_objective_aggregation": _compared("trainer/grpo_trainer", "multi_objective_aggregation"),
    "vllm_mode": _compared("trainer/grpo_trainer", "vllm_mode"),
    "vllm_model_impl": {"choices": ("vllm", "transformers")},
    "vllm_importance_sampling_mode": _compared("trainer/grpo_trainer", "vllm_importance_sampling_mode"),
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
OWN: Final[Mapping[str, Mapping[str, Limit | Callable[[], Limit]]]] = {
    "SFTConfig": {
        "loss_type": _compared("trainer/sft_trainer", "loss_type"),
        "truncation_mode": _compared("trainer/sft_trainer", "truncation_mode"),
        "packing_strategy": _compared("data_utils", "strategy"),
        "router_aux_loss_coef": NOT_NEGATIVE,
        "dataset_text_field": TEXT,
    },
    "DPOConfig": {
        "loss_type": lambda: {
            "types": (list, str),
            "items": (str,),
            "choices": compared("trl/trainer/dpo_trainer.py", "loss_type"),
        },
        "loss_weights": {"items": (float,)},
        "train_sampling_strategy": {
            "choices": ("random", "sequential")
        },  # the others need the length of one text a row
        "f_divergence_type": _compared("trainer/dpo_trainer", "f_divergence_type"),
        "truncation_mode": _compared("trainer/dpo_trainer", "truncation_mode"),
        "ld_alpha": SHARE,
        "label_smoothing": {"at_least": 0, "below": 1},
        "precompute_ref_batch_size": COUNT,
        "ref_model_mixup_alpha": SHARE,
        "ref_model_sync_steps": COUNT,
        "router_aux_loss_coef": NOT_NEGATIVE,
    },
    "GRPOConfig": SAMPLING,
    "PPOConfig": {**SAMPLING, **dict.fromkeys(("cliprange_value", "vf_coef", "kl_coef"), NOT_NEGATIVE)},
}


def limit(config: str, name: str) -> Limit:
    """What is demanded of the field ``name`` of the configuration class ``config`` beside its annotation."""
    found = OWN.get(config, {}).get(name) or EVERY.get(name, {})
    return found() if callable(found) else found


# Between fields


def rules(context: NodeContext) -> Iterator[Complaint]:
    """Settings of a trainer that do not go together, or not with what is wired to it."""
    for rule in RULES:
        yield from rule(context)


def _whole_steps(context: NodeContext) -> Iterator[Complaint]:
    for name in ("logging_steps", "eval_steps", "save_steps"):
        value = context.given.get(name)
        if isinstance(value, float) and value > 1 and value != int(value):
            yield name, f"must be a whole number of steps, or a share of all steps below 1, got {shown(value)}."


def _evaluation(context: NodeContext) -> Iterator[Complaint]:
    """Nothing can be evaluated without rows to do it on."""
    if "eval_dataset" in context.inputs:
        return
    remedy = "wire a data set to the input 'eval dataset'"
    if context.given.get("eval_strategy", "no") != "no":
        yield "eval_strategy", f"{shown(context['eval_strategy'])} needs rows to evaluate on: {remedy}, or set 'no'."
    if context.given.get("eval_on_start"):
        yield "eval_on_start", f"needs rows to evaluate on: {remedy}, or clear this."
    if context.given.get("load_best_model_at_end"):
        yield "load_best_model_at_end", f"finds the best model by evaluating: {remedy}, or clear this."
    if context.given.get("save_strategy") == "best":
        yield "save_strategy", f"'best' is found by evaluating: {remedy}, or set 'steps'."
    if context.given.get("lr_scheduler_type") in ("reduce_lr_on_plateau", "greedy"):
        yield "lr_scheduler_type", f"{shown(context['lr_scheduler_type'])} follows evaluations: {remedy}."


def _workers(context: NodeContext) -> Iterator[Complaint]:
    if context["dataloader_num_workers"]:
        return
    for name in ("dataloader_prefetch_factor", "dataloader_persistent_workers", "dataloader_multiprocessing_context"):
        if context.given.get(name):
            yield name, "works with worker processes only; set dataloader_num_workers to 1 or more, or clear this."


def _padding_free(context: NodeContext) -> Iterator[Complaint]:
    if "packing" not in context.node.all_parameters():
        return
    if context.given.get("padding_free") and not context["packing"] and context["max_length"] is not None:
        yield "padding_free", "does not cut rows to max_length; set packing to true, or max_length to null."
    if (context["packing"] or context["eval_packing"]) and context["max_length"] is None:
        name = "packing" if context["packing"] else "eval_packing"
        yield name, "fills rows of max_length tokens; set max_length, or clear this."


def _losses(context: NodeContext) -> Iterator[Complaint]:
    """Of DPO, which takes several."""
    if "loss_weights" not in context.node.all_parameters():
        return
    given = context.given.get("loss_type", ["sigmoid"])
    losses, weights = given if isinstance(given, list) else [given], context["loss_weights"]
    if not losses:
        yield "loss_type", "is empty; give at least one loss, such as 'sigmoid'."
    if weights is not None and len(weights) != len(losses):
        yield "loss_weights", f"needs one weight for each loss of loss_type ({len(losses)}), got {shown(weights)}."
    if "exo_pair" in losses and not context["label_smoothing"]:
        yield "loss_type", "'exo_pair' needs label_smoothing above 0. Typical: 0.001."
    if context["use_weighting"] and {"aot", "aot_unpaired"} & set(losses):
        yield "use_weighting", "does not work with the losses 'aot' and 'aot_unpaired'; clear it, or take another loss."
    if context["f_divergence_type"] != "reverse_kl" and (wrong := sorted(set(losses) - DIVERGENT)):
        yield "f_divergence_type", f"must be 'reverse_kl' with the loss {', '.join(map(repr, wrong))}."


DIVERGENT: Final = {"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"}
"""The losses of DPO that know other divergences; a test compares them with TRL's."""


def _reference(context: NodeContext) -> Iterator[Complaint]:
    if context.given.get("sync_ref_model"):
        remedy = "or clear it"
        if context.given.get("precompute_ref_log_probs"):
            yield "sync_ref_model", f"changes the reference, so precompute_ref_log_probs must be off, {remedy}."
        if "adapter" in context.inputs:
            yield "sync_ref_model", f"needs a reference of its own, which LoRA does without; remove the LoRA, {remedy}."
        elif "beta" in context.node.all_parameters() and not context["beta"]:
            yield "sync_ref_model", f"needs a reference model, which there is only where beta is above 0, {remedy}."


def _reward_weights(context: NodeContext) -> Iterator[Complaint]:
    """With a threshold, and where rewards come combined, the sum is taken before TRL sees them."""
    given, reward = context.given.get("reward_weights"), context.inputs.get("reward")
    if given is None or not isinstance(reward, RewardValue):
        return
    threshold = context["reward_threshold"] if "reward_threshold" in context.node.all_parameters() else None
    count = 1 if threshold is not None else len(reward.parts)
    if len(given) != count:
        rewards = "1 reward" if count == 1 else f"{count} rewards"
        yield "reward_weights", f"needs one weight for each of {rewards}, got {shown(given)}; use Combine Rewards."


def _completions(context: NodeContext) -> Iterator[Complaint]:
    if "log_completions_hub_repo" not in context.node.all_parameters():
        return
    if context["log_completions_hub_repo"] is not None and not context["log_completions"]:
        yield "log_completions_hub_repo", "is where completions are uploaded to; set log_completions, or clear this."
    if context["auto_find_batch_size"]:
        yield (
            "auto_find_batch_size",
            "works with SFT and DPO only: groups of completions must stay whole; lower per_device_train_batch_size.",
        )
    if context["generation_batch_size"] is not None and context["steps_per_generation"] is not None:
        yield "steps_per_generation", "says the same as generation_batch_size in other words; clear one of the two."


def _conversations(context: NodeContext) -> Iterator[Complaint]:
    """As far as the columns tell; the rest is looked at when the rows are loaded."""
    data = context.inputs.get("dataset")
    columns = data.columns if isinstance(data, DatasetValue) else None
    if context.given.get("assistant_only_loss") and columns is not None and not {"messages", "prompt"} & set(columns):
        yield "assistant_only_loss", "works with conversations (a column 'messages') only; clear it."
    if context.given.get("completion_only_loss") and columns is not None and "completion" not in columns:
        yield (
            "completion_only_loss",
            "needs the columns 'prompt' and 'completion'; clear it, or use assistant_only_loss.",
        )


def _optimizer(context: NodeContext) -> Iterator[Complaint]:
    text = context.given.get("optim_args")
    if isinstance(text, str) and text and any(part.count("=") != 1 for part in text.split(",")):
        yield "optim_args", f"must be NAME=VALUE, NAME=VALUE, ..., got {shown(text)}."
    optim = str(context.given.get("optim", ""))
    if optim.startswith(("galore", "apollo")) and not context["optim_target_modules"]:
        yield "optim", f"{shown(optim)} works on some modules; set optim_target_modules, such as all-linear."
    if context.given.get("optim_target_modules") is not None and not optim.startswith(("galore", "apollo")):
        yield "optim_target_modules", "works with the galore and apollo optimizers only; set optim, or clear this."


RULES: Final = (
    _whole_steps,
    _evaluation,
    _workers,
    _padding_free,
    _losses,
    _reference,
    _reward_weights,
    _completions,
    _conversations,
    _optimizer,
)
