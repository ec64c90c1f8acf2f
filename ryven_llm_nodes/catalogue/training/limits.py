"""What TRL and transformers require of a field beyond its annotation: ranges, choices, combinations.

The table of the fields that all trainers have, applied where fields are read (``fields.py``), so that form, check,
command line and help all know it, and the rules between them. A method declares those of its own fields in its file.
Choices that the library's source states are read from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ryven_llm_nodes.catalogue.training.choices import compared, enumerated, keys
from ryven_llm_nodes.errors import shown

if TYPE_CHECKING:
    from ryven_llm_nodes.catalogue.findings import Complaint
    from ryven_llm_nodes.catalogue.node import NodeContext

Limit = Mapping[str, Any]
"""Attributes of a Parameter, and the values that they get."""
Limits = Mapping[str, Limit | Callable[[], Limit]]
"""What is required of fields, by name; a callable where it has to be read from the library's source."""
Rule = Callable[["NodeContext"], Iterator["Complaint"]]
"""What is wrong between several fields, or between a field and what is wired."""

NONE: Final = type(None)
MANY: Final = 2**20
"""More rows or tokens at once than any machine can hold; without a limit, a typo would exhaust the memory."""
SEED: Final = {"at_least": 0, "at_most": 2**32 - 1}
COUNT: Final = {"at_least": 1, "at_most": MANY}
SHARE: Final = {"at_least": 0, "at_most": 1}
POSITIVE: Final = {"above": 0, "at_most": 1e6}
NOT_NEGATIVE: Final = {"at_least": 0, "at_most": 1e6}
MAPPING: Final = {"types": (dict, NONE)}
"""JSON text is meant for the library's own command line, which is not used here."""
TEXT: Final = {"required": True}


def of(values: Callable[..., tuple[str, ...]], *where: str, more: tuple[Any, ...] = ()) -> Callable[[], Limit]:
    return lambda: {"choices": (*values(*where), *more)}


def _enumeration(path: str, name: str) -> Callable[[], Limit]:
    return of(enumerated, f"transformers/{path}.py", name)


def choices_of(path: str, name: str) -> Callable[[], Limit]:
    return of(compared, f"trl/{path}.py", name)


def _reports() -> Limit:
    names = keys("transformers/integrations/integration_utils.py", "INTEGRATION_TO_CALLBACK")
    return {"types": (str, list), "items": (str,), "choices": (*names, "all", "none")}


def _backends() -> Limit:
    return {"choices": tuple(name.lower() for name in enumerated("accelerate/utils/dataclasses.py", "DynamoBackend"))}


LEVELS: Final = of(keys, "transformers/utils/logging.py", "log_levels", more=("passive",))

EVERY: Final[Limits] = {
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
    "ddp_timeout": {"at_least": 1, "at_most": 10**9},
    "debug": {"items": (str,)},
    "local_rank": {"refused": "is set by the launcher (accelerate, torchrun) of each process; clear it."},
}

# Between fields


def _whole_steps(context: NodeContext) -> Iterator[Complaint]:
    for name in ("logging_steps", "eval_steps", "save_steps"):
        value = context.given.get(name)
        if isinstance(value, float) and value > 1 and value != int(value):
            yield name, f"must be a whole number of steps, or a fraction of all steps below 1, got {shown(value)}."


def _evaluation(context: NodeContext) -> Iterator[Complaint]:
    """Evaluation needs rows to evaluate on."""
    if "eval_dataset" in context.inputs:
        return
    remedy = "connect a dataset to the input 'eval dataset'"
    if context.given.get("eval_strategy", "no") != "no":
        yield "eval_strategy", f"{shown(context['eval_strategy'])} needs rows to evaluate on: {remedy}, or set 'no'."
    if context.given.get("eval_on_start"):
        yield "eval_on_start", f"needs rows to evaluate on: {remedy}, or clear this."
    if context.given.get("load_best_model_at_end"):
        yield "load_best_model_at_end", f"selects the best model by evaluation: {remedy}, or clear this."
    if context.given.get("save_strategy") == "best":
        yield "save_strategy", f"'best' is selected by evaluation: {remedy}, or set 'steps'."
    if context.given.get("lr_scheduler_type") in ("reduce_lr_on_plateau", "greedy"):
        yield "lr_scheduler_type", f"{shown(context['lr_scheduler_type'])} follows evaluations: {remedy}."


def _workers(context: NodeContext) -> Iterator[Complaint]:
    if context["dataloader_num_workers"]:
        return
    for name in ("dataloader_prefetch_factor", "dataloader_persistent_workers", "dataloader_multiprocessing_context"):
        if context.given.get(name):
            yield name, "works with worker processes only; set dataloader_num_workers to 1 or more, or clear this."


def _optimizer(context: NodeContext) -> Iterator[Complaint]:
    text = context.given.get("optim_args")
    if isinstance(text, str) and text and any(part.count("=") != 1 for part in text.split(",")):
        yield "optim_args", f"must be NAME=VALUE, NAME=VALUE, ..., got {shown(text)}."
    optim = str(context.given.get("optim", ""))
    if optim.startswith(("galore", "apollo")) and not context["optim_target_modules"]:
        yield "optim", f"{shown(optim)} works on selected modules; set optim_target_modules, such as all-linear."
    if context.given.get("optim_target_modules") is not None and not optim.startswith(("galore", "apollo")):
        yield "optim_target_modules", "works with the galore and apollo optimizers only; set optim, or clear this."


RULES: Final[tuple[Rule, ...]] = (
    _whole_steps,
    _evaluation,
    _workers,
    _optimizer,
)
"""Those between the fields that every trainer has."""
