"""Axolotl: the YAML file of ``axolotl train FILE``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    CPO,
    DPO,
    GRPO,
    KTO,
    ORPO,
    SFT,
    ChatTemplate,
    ConvertFormat,
    LoadDataset,
    LoadModel,
    LoRA,
    MapColumns,
    SaveModel,
    TrainRewardModel,
)
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.importing.keys import Keys
from ryven_llm_nodes.importing.places import Places
from ryven_llm_nodes.importing.plan import Made, Plan, with_library_defaults
from ryven_llm_nodes.importing.rewards import take_rewards
from ryven_llm_nodes.importing.saving import per_epoch, saved_as

METHODS: Final[Mapping[str, Any]] = {
    "dpo": DPO,
    "ipo": DPO,
    "grpo": GRPO,
    "kto": KTO,
    "orpo": ORPO,
    "simpo": CPO,
}
"""The values of ``rl``; without it, a model is fine-tuned."""
TARGETS: Final[Mapping[Any, str]] = {
    **dict.fromkeys((DPO, ORPO, CPO, TrainRewardModel), "preference"),
    KTO: "unpaired preference",
}
"""What rows are converted to."""
MODEL: Final = {
    "base_model": "path",
    "revision_of_model": "revision",
    "trust_remote_code": "trust_remote_code",
    "attn_implementation": "attn_implementation",
}
ATTENTION: Final = {
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "flex_attention": "flex_attention",
    "eager_attention": "eager",
}
ADAPTER: Final = {
    "lora_r": "r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_target_modules": "target_modules",
    "peft_use_rslora": "use_rslora",
    "peft_use_dora": "use_dora",
}
TRAINER: Final = {
    "sequence_len": "max_length",
    "sample_packing": "packing",
    "eval_sample_packing": "eval_packing",
    "micro_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "num_epochs": "num_train_epochs",
    "optimizer": "optim",
    "lr_scheduler": "lr_scheduler_type",
    "warmup_ratio": "warmup_steps",
    "dataset_processes": "dataset_num_proc",
    "dataset_num_proc": "dataset_num_proc",
    "rl_beta": "beta",
    "dpo_beta": "beta",
    "orpo_alpha": "beta",
    "dpo_label_smoothing": "label_smoothing",
    "dpo_use_weighting": "use_weighting",
    "kto_desirable_weight": "desirable_weight",
    "kto_undesirable_weight": "undesirable_weight",
    "wandb_name": "run_name",
}
"""Keys that a trainer calls otherwise; those of the same name are taken over as they are."""
COMMON: Final = {
    **{name: name for name in ("gradient_accumulation_steps", "learning_rate", "weight_decay", "max_steps", "seed")},
    **{name: name for name in ("warmup_steps", "max_grad_norm", "adam_beta1", "adam_beta2", "adam_epsilon", "tf32")},
    **{name: name for name in ("fp16", "logging_steps", "save_total_limit", "save_only_model", "neftune_noise_alpha")},
    **{name: name for name in ("eval_steps", "save_steps", "eval_strategy", "save_strategy", "torch_compile")},
    **{name: name for name in ("load_best_model_at_end", "metric_for_best_model", "greater_is_better", "deepspeed")},
    **{name: name for name in ("gradient_checkpointing_kwargs", "dataloader_num_workers", "dataloader_pin_memory")},
    **{name: name for name in ("dataloader_prefetch_factor", "dataloader_drop_last", "ddp_timeout", "simpo_gamma")},
    **{name: name for name in ("cpo_alpha", "remove_unused_columns", "group_by_length", "use_liger_kernel")},
}
NOTHING: Final = (
    *("strict", "dataset_prepared_path", "model_type", "tokenizer_type", "is_llama_derived_model", "val_set_size"),
    *("is_mistral_derived_model", "is_falcon_derived_model", "is_qwen_derived_model", "resume_from_checkpoint"),
    *("auto_resume_from_checkpoints", "pad_to_sequence_len", "wandb_log_model", "wandb_watch", "wandb_entity"),
    *("axolotl_config_path", "hf_use_auth_token", "dataset_keep_in_memory", "base_model_config", "debug"),
    *("group_by_length", "xformers_attention", "local_rank", "shuffle_merged_datasets", "low_cpu_mem_usage"),
)
"""Keys that change nothing in a flow where they have their usual value, or that only concern caches and displays."""
REASONS: Final = {
    "tokenizer_config": "the tokenizer of the model is used; save the other one into the folder of the model.",
    "chat_template": "templates by name belong to Axolotl; insert a Chat Template node with a file, or clone a model "
    "that has the template.",
    "plugins": "belong to Axolotl; leave them out.",
    "pretraining_dataset": "is streamed; add a Load Dataset node with streaming and a limit.",
    "lora_modules_to_save": "has no parameter in the LoRA node; leave it out, or train all weights.",
    "lora_model_dir": "an adapter is merged first: use Import Model in place of Load Model.",
    "fsdp": "how a run is launched stands in the launch settings of a flow; set the strategy fsdp2 there.",
    "fsdp_config": "how a run is launched stands in the launch settings of a flow; set the strategy fsdp2 there.",
    "wandb_project": "is not stored in a flow; set the environment variable WANDB_PROJECT.",
    "early_stopping_patience": "counts in another way; set early_stopping in the trainer.",
    "tokens": "new tokens are not added; save a tokenizer with them into the folder of the model.",
    "unfrozen_parameters": "either all weights or a LoRA adapter are trained; connect a LoRA node.",
    "loss_watchdog_threshold": "is not there; the run tells when a loss diverges.",
}


def is_axolotl(given: Mapping[str, Any]) -> bool:
    """Whether these are the keys of Axolotl."""
    return "base_model" in given


def plan(keys: Keys, title: str, places: Places, wanted: str = "") -> Plan:
    """The training that the configuration describes; ``wanted`` is not needed: the file names its method."""
    method = _method(keys)
    made = Plan(title, method, model=_model(keys, places), adapter=_adapter(keys))
    _template(keys, places, made)
    made.saved = saved_as(keys, SaveModel)
    settings = keys.into(method, {**COMMON, **TRAINER})
    if isinstance(trl := keys.take("trl"), dict):
        below = keys.below(trl, "trl")
        if made.takes_rewards:
            take_rewards(below, places, made)
        settings |= below.into(method, {name: name for name in method.all_parameters()})
        below.finish(lambda key: f"is no field of {method.config}; leave it out.")
    made.settings = settings
    _training(keys, made)
    _rows(keys, places, made)
    if made.takes_rewards and not made.rewards:
        take_rewards(keys, places, made)
    made.settings = with_library_defaults(method, made.settings)
    keys.ignore(*NOTHING)
    keys.leave_all(REASONS)
    keys.finish(lambda key: f"has no counterpart in {method.config}; leave it out, or set what it does in a node.")
    return made


def _method(keys: Keys) -> Any:
    if keys.take("reward_model", False):
        return TrainRewardModel
    rl = keys.text("rl")
    if rl and rl not in METHODS:
        keys.leave("rl", f"{shown(rl)} has no node; SFT is drawn in its place, replace it.")
    if rl == "ipo":
        keys.note("rl", "ipo is DPO with the loss 'ipo'.")
    return METHODS.get(rl, SFT)


def _model(keys: Keys, places: Places) -> dict[str, JSON]:
    made = keys.into(LoadModel, MODEL)
    made["path"] = places.of(str(made.get("path", "")))
    for key, name in ATTENTION.items():
        if keys.take(key, False):
            made["attn_implementation"] = name
    for key, bits in (("load_in_4bit", "4-bit"), ("load_in_8bit", "8-bit")):
        if keys.take(key, False):
            made["quantization"] = bits
    if keys.given.get("bf16") in (True, "auto", "full", None) and not keys.given.get("fp16"):
        made["dtype"] = "bfloat16"  # Axolotl loads the weights so
    return made


def _adapter(keys: Keys) -> dict[str, JSON] | None:
    kind = keys.text("adapter")
    if kind not in ("lora", "qlora"):
        if kind:
            keys.leave("adapter", f"{shown(kind)} has no node; all weights are trained, or connect a LoRA node.")
        return None
    is_linear = keys.take("lora_target_linear", False)
    made = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, **keys.into(LoRA, ADAPTER)}
    if is_linear or "target_modules" not in made:
        made["target_modules"] = "all-linear"
    return made


def _template(keys: Keys, places: Places, made: Plan) -> None:
    if keys.given.get("chat_template") in (None, "tokenizer_default", "jinja"):
        keys.ignore("chat_template")
    if jinja := keys.text("chat_template_jinja"):
        if places.found(jinja) is None:
            keys.leave("chat_template_jinja", "is no file that is there; save it as a file, for a Chat Template node.")
        else:
            made.template = {"source": ChatTemplate.parameters[0].choices[0], "chat_template_path": places.of(jinja)}


def _training(keys: Keys, made: Plan) -> None:
    """What has another form there."""
    settings = made.settings
    known = made.method.all_parameters()
    if keys.take("bf16", "auto") is False and not settings.get("fp16"):
        settings["bf16"] = False
    checkpointing = keys.take("gradient_checkpointing", False)
    settings["gradient_checkpointing"] = bool(checkpointing)
    if isinstance(checkpointing, str) and checkpointing != "true":
        keys.note("gradient_checkpointing", f"{shown(checkpointing)} is on, without offloading.")
    if keys.given.get("rl") == "ipo":
        settings["loss_type"] = "ipo"
    if keys.given.get("rl") == "simpo":
        settings |= {"loss_type": "simpo", "cpo_alpha": settings.get("cpo_alpha", 0.0)}
    if "wandb_project" in keys:
        settings["report_to"] = "wandb"
    if "batch_size" in keys and "gradient_accumulation_steps" not in settings:
        each = settings.get("per_device_train_batch_size", 1)
        settings["gradient_accumulation_steps"] = max(int(keys.take("batch_size")) // each, 1)
    for key, steps, strategy in (
        ("saves_per_epoch", "save_steps", "save_strategy"),
        ("evals_per_epoch", "eval_steps", "eval_strategy"),
    ):
        settings |= per_epoch(keys, key, steps, strategy, settings.get("num_train_epochs", 1.0))
    tokens = keys.take("special_tokens")
    for name, token in tokens.items() if isinstance(tokens, dict) else ():
        if name in ("pad_token", "eos_token") and name in known:
            settings[name] = token
        else:
            keys.leave("special_tokens", f"{name} is not set; save a tokenizer with it into the folder of the model.")


# Rows


def _rows(keys: Keys, places: Places, made: Plan) -> None:
    inputs = keys.take("train_on_inputs", False)
    for number, entry in enumerate(_entries(keys, "datasets")):
        below = keys.below(entry, f"datasets[{number}]")
        made.rows.append(list(_entry(below, places, made)))
    tests = [
        list(_entry(keys.below(entry, f"test_datasets[{number}]"), places, made))
        for number, entry in enumerate(_entries(keys, "test_datasets"))
    ]
    if inputs and "completion_only_loss" in made.method.all_parameters():
        made.settings["completion_only_loss"] = False
        made.settings.pop("assistant_only_loss", None)
    if tests:
        made.held_out = tests[0]
        if len(tests) > 1:
            keys.leave("test_datasets", "only the first is evaluated on; join them with a Mix node.")
    share = keys.take("val_set_size", 0.0)
    if not tests and isinstance(share, int | float) and 0 < share < 1:
        made.held_out = {"test_size": float(share)}
    elif not tests and share:
        keys.leave("val_set_size", "must be a share of the rows below 1; insert a Split node.")
    made.settle_evaluation()
    if "eval_steps" in made.settings and "eval_strategy" not in made.settings:
        made.settings["eval_strategy"] = "steps"


def _entries(keys: Keys, key: str) -> list[dict[str, Any]]:
    given = keys.take(key, [])
    entries = given if isinstance(given, list) else [given]
    found = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("path"), str)]
    if len(found) < len(entries) or (key == "datasets" and not found):
        keys.leave(key, "each entry needs a path; add a Load Dataset node for those without.")
    return found


def _entry(keys: Keys, places: Places, made: Plan) -> Iterator[Made]:
    """A chain of nodes: the rows as Axolotl reads them, in a form that the trainer takes."""
    load: dict[str, JSON] = {"path": places.of(keys.text("path"))}
    files = keys.take("data_files")
    if files:
        load["path"] = [places.of(str(one)) for one in files] if isinstance(files, list) else places.of(str(files))
    for key, name in (("name", "config"), ("split", "split"), ("revision", "revision")):
        if value := keys.text(key):
            load[name] = value
    keys.ignore("ds_type", "chat_template", "roles", "trust_remote_code", "message_property_mappings")
    yield LoadDataset, load
    kind = keys.take("type", "")
    if isinstance(kind, dict):
        keys.leave("type", "a format of one's own is not read; build the columns in a Map Columns node.")
    else:
        yield from _converted(keys, str(kind), made)
    keys.finish(lambda key: "is not taken over; do what it does with a node of data.")


def _converted(keys: Keys, kind: str, made: Plan) -> Iterator[Made]:
    wanted = TARGETS.get(made.method, "prompt-completion")
    if wanted != "prompt-completion":
        yield ConvertFormat, {"target": wanted}
    elif made.method is GRPO:
        keys.note("type", f"{shown(kind)} is read as rows with a column prompt.")
    elif kind.startswith("alpaca"):
        yield ConvertFormat, {"source": "alpaca", "form": "standard"}
    elif kind.startswith(("sharegpt", "chat_template")):
        yield from _conversations(keys, made, kind)
    elif kind == "completion":
        if (field := keys.text("field", "text")) != "text":
            yield MapColumns, {"rename": {field: "text"}}
    else:
        keys.leave("type", f"{shown(kind)} has no counterpart; the format is told by the columns of the rows.")
        yield ConvertFormat, {}


def _conversations(keys: Keys, made: Plan, kind: str) -> Iterator[Made]:
    """Axolotl trains on what the assistant says."""
    column = keys.text("field_messages", "conversations" if kind.startswith("sharegpt") else "messages")
    trained = keys.take("roles_to_train", ["assistant"])
    keys.ignore("train_on_eos", "conversation", "message_field_role", "message_field_content")
    if column == "conversations":
        yield ConvertFormat, {"source": "sharegpt", "target": "language modeling"}
    elif column != "messages":
        yield MapColumns, {"rename": {column: "messages"}}
    if trained in (["assistant"], ["gpt"], ["assistant", "gpt"], ["gpt", "assistant"]):
        made.settings["assistant_only_loss"] = True
    elif trained:
        keys.leave("roles_to_train", "all tokens, or those of the assistant, are trained; all are here.")
