"""What each field of a trainer's configuration can reach beyond training, judged by reading the libraries' source.

TRL and transformers have some three hundred fields. Most are numbers and switches that change how a model trains and
nothing else. A field that takes text or a dictionary could name anything, so it is shown to the user unless it was
reviewed and found harmless: a field that a later version adds is shown until it has been reviewed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ryven_llm_nodes.catalogue.parameters import JSON, Parameter

REACHES: Final[Mapping[str, str]] = {
    "chat_template_path": "takes the chat template from elsewhere",
    "chat_template_kwargs": "passes this to the chat template, and may replace it",
    "deepspeed": "passes this to DeepSpeed, which can write files and log to other services",
    "generation_kwargs": "passes this to text generation",
    "log_completions_hub_repo": "sends completions to the Hugging Face Hub",
    "model_init_kwargs": "passes this to the loading of the model, which can run code",
    "push_to_hub": "sends the model to the Hugging Face Hub",
    "report_to": "sends metrics and settings to other services",
    "transformers_continuous_batching_config": "passes this to text generation",
    "use_vllm": "generates with vLLM, which may be a server elsewhere",
}
"""What a field does if it is not its default."""

UNKNOWN_REACH: Final = "sets what this package does not know"

DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "push_to_hub": ("hub_model_id", "hub_private_repo", "hub_revision", "hub_strategy"),
    "report_to": ("project", "run_name", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
    "use_vllm": ("vllm_mode", "vllm_server_base_url", "vllm_server_host", "vllm_server_port", "vllm_model_impl"),
}
"""The fields that name a destination; without the field that they belong to they do nothing."""

HARMLESS: Final = frozenset(
    [
        "accelerator_config",
        "activation_checkpointing_kwargs",
        "cache_implementation",
        "dataloader_multiprocessing_context",
        "dataset_kwargs",
        "dataset_text_field",
        "ddp_backend",
        "debug",
        "eos_token",
        "eval_strategy",
        "f_divergence_type",
        "fsdp",
        "fsdp_config",
        "gradient_checkpointing_kwargs",
        "importance_sampling_level",
        "include_for_metrics",
        "include_num_input_tokens_seen",
        "kl_estimator",
        "label_names",
        "length_column_name",
        "liger_kernel_config",
        "log_level",
        "log_level_replica",
        "logging_strategy",
        "loss_type",
        "loss_weights",
        "lr_scheduler_kwargs",
        "lr_scheduler_type",
        "metric_for_best_model",
        "multi_objective_aggregation",
        "optim",
        "optim_args",
        "optim_target_modules",
        "packing_strategy",
        "pad_to_multiple_of",
        "pad_token",
        "reward_weights",
        "save_strategy",
        "scale_rewards",
        "torch_compile_backend",
        "torch_compile_mode",
        "train_sampling_strategy",
        "truncation_mode",
        "value_model",
        "vllm_importance_sampling_mode",
        "vllm_structured_outputs_regex",
    ]
) | {name for names in DETAILS.values() for name in names}
"""Fields with text that names a column, a module of the model, or one of the library's own choices, or options of it.

A file that one of them names (``accelerator_config``, ``fsdp_config``) is read as JSON. ``torch_compile_backend`` is
looked up among the installed ones. ``value_model`` is the folder of a model, which is loaded without its code.
"""

LOCAL_REPORTS: Final[tuple[JSON, ...]] = (None, "none", "tensorboard", [], ["none"], ["tensorboard"])
LOADING: Final = frozenset({"dtype", "torch_dtype", "device_map", "low_cpu_mem_usage", "use_cache", "revision"})
"""Arguments of ``from_pretrained`` that only say how a model lies in memory, or which version it is."""

ATTENTION: Final = frozenset(
    {"", "eager", "sdpa", "flex_attention", "paged|eager", *(f"flash_attention_{version}" for version in (2, 3, 4))}
)
"""The attention that transformers has itself; any other name may be a kernel from the Hub, which is code."""


def reach(field: Parameter, value: JSON) -> str:
    """What ``value`` makes ``field`` reach beyond training, in a phrase; empty if nothing."""
    if value == field.default or (field.name == "report_to" and value in LOCAL_REPORTS):
        return ""
    if field.name == "model_init_kwargs" and _only_loads(value):
        return ""
    if field.name in REACHES:
        return REACHES[field.name] if value not in (None, False, {}) else ""
    takes_text = bool({str, dict, list} & set(field.types)) and not field.choices
    return UNKNOWN_REACH if takes_text and field.name not in HARMLESS else ""


def _only_loads(value: JSON) -> bool:
    if not isinstance(value, dict):
        return False
    rest = {name: item for name, item in value.items() if name not in LOADING}
    attention = rest.pop("attn_implementation", "")
    return not rest and isinstance(attention, str) and attention in ATTENTION
