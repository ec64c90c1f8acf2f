"""LLaMA-Factory: the YAML file of ``llamafactory-cli train FILE``, and the table of its datasets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    CPO,
    DPO,
    KTO,
    ORPO,
    PPO,
    SFT,
    ConvertFormat,
    LoadDataset,
    LoadModel,
    LoRA,
    MapColumns,
    RewardModel,
    SaveModel,
    TrainRewardModel,
)
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.importing.keys import Keys
from ryven_llm_nodes.importing.places import Places
from ryven_llm_nodes.importing.plan import Made, Plan, with_library_defaults
from ryven_llm_nodes.importing.saving import saved_as

METHODS: Final[Mapping[str, Any]] = {
    "pt": SFT,
    "sft": SFT,
    "rm": TrainRewardModel,
    "ppo": PPO,
    "dpo": DPO,
    "kto": KTO,
}
"""The values of ``stage``."""
TARGETS: Final = {
    "rm": "preference",
    "dpo": "preference",
    "kto": "unpaired preference",
    "ppo": "prompt-only",
    "sft": "prompt-completion",
}
MODEL: Final = {
    "model_name_or_path": "path",
    "model_revision": "revision",
    "trust_remote_code": "trust_remote_code",
}
ATTENTION: Final = {"fa2": "flash_attention_2", "sdpa": "sdpa", "disabled": "eager"}
ADAPTER: Final = {
    "lora_rank": "r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_target": "target_modules",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
}
TRAINER: Final = {
    "cutoff_len": "max_length",
    "preprocessing_num_workers": "dataset_num_proc",
    "pref_beta": "beta",
    "dpo_label_smoothing": "label_smoothing",
    "kto_chosen_weight": "desirable_weight",
    "kto_rejected_weight": "undesirable_weight",
    "warmup_ratio": "warmup_steps",
    "packing": "packing",
    "ppo_epochs": "num_ppo_epochs",
    "max_new_tokens": "max_completion_length",
}
"""Keys that a trainer calls otherwise; those of transformers' training arguments are taken over as they are."""
DEFAULTS: Final = {"learning_rate": 5e-5, "weight_decay": 0.0, "warmup_steps": 0.0, "num_train_epochs": 3.0}
"""Those of transformers, which LLaMA-Factory uses."""
NOTHING: Final = (
    *("do_train", "do_eval", "overwrite_cache", "overwrite_output_dir", "plot_loss", "resume_from_checkpoint"),
    *("ref_model", "buffer_size", "preprocessing_batch_size", "media_dir", "tokenized_path", "use_fast_tokenizer"),
)
REASONS: Final = {
    "template": "templates by name belong to LLaMA-Factory, the model's own is used; insert a Chat Template node for "
    "another one.",
    "deepspeed": "is taken over as a path only where the file is there; name it in the trainer.",
    "pref_ftx": "is no field of DPOConfig; use the losses 'sigmoid' and 'sft' with loss_weights in the DPO node.",
    "additional_target": "has no parameter in the LoRA node; leave it out, or train all weights.",
    "adapter_name_or_path": "an adapter is merged first: use Import Model in place of Load Model.",
    "eval_dataset": "is not in dataset_info.json; add a Load Dataset node, and connect it to eval dataset.",
    "interleave_probs": "all rows are taken in order; set the weights in a Mix node.",
    "streaming": "rows are loaded in full; set streaming and a limit in Load Dataset.",
    "mask_history": "all turns of the assistant are trained; convert the rows to prompt-completion for the last alone.",
    "enable_thinking": "is an argument of a template; set chat_template_kwargs in the trainer, or leave it out.",
}


def is_llama_factory(given: Mapping[str, Any]) -> bool:
    """Whether these are the keys of LLaMA-Factory."""
    return "model_name_or_path" in given and bool({"stage", "finetuning_type", "cutoff_len"} & set(given))


def plan(keys: Keys, title: str, places: Places, wanted: str = "") -> Plan:
    """The training that the configuration describes; ``wanted`` is not needed: the file names its stage."""
    keys.ignore(*NOTHING)
    stage = keys.text("stage", "sft")
    if stage not in METHODS:
        keys.leave("stage", f"{shown(stage)} has no node; SFT is drawn in its place.")
        stage = "sft"
    method, preference = _method(keys, stage)
    made = Plan(title, method, adapter=_adapter(keys))
    made.model = _model(keys, places, made)
    made.saved = saved_as(keys, SaveModel)
    names = {name: name for name in method.all_parameters() if name not in ("eval_dataset", "deepspeed")}
    given = keys.into(method, {**names, **TRAINER})
    defaults = {name: value for name, value in DEFAULTS.items() if name in names}
    made.settings = with_library_defaults(method, {**defaults, **preference, **given})
    _training(keys, made)
    _rows(keys, places, made, stage)
    if method is PPO:
        model = keys.text("reward_model")
        made.rewards = [(RewardModel, {"path": places.of(model)})]
    keys.leave_all(REASONS)
    keys.finish(lambda key: f"has no counterpart in {method.config}; leave it out, or set what it does in a node.")
    return made


def _method(keys: Keys, stage: str) -> tuple[Any, dict[str, JSON]]:
    """The node, and the settings that the loss of a preference stage gives it."""
    if stage != "dpo":
        return METHODS[stage], {}
    loss = keys.text("pref_loss", "sigmoid")
    if loss == "orpo":
        return ORPO, {}
    if loss == "simpo":
        return CPO, {"loss_type": "simpo", "cpo_alpha": 0.0, "simpo_gamma": keys.take("simpo_gamma", 0.5)}
    if loss not in ("sigmoid", "hinge", "ipo"):
        keys.leave("pref_loss", f"{shown(loss)} is no loss of TRL's DPO; sigmoid is used, choose another loss_type.")
        loss = "sigmoid"
    return DPO, {"loss_type": loss} if loss != "sigmoid" else {}


def _model(keys: Keys, places: Places, made: Plan) -> dict[str, JSON]:
    model = keys.into(LoadModel, MODEL)
    model["path"] = places.of(str(model.get("path", "")))
    if model.get("revision") == "main":
        model.pop("revision")
    attention = keys.text("flash_attn", "auto")
    if attention in ATTENTION:
        model["attn_implementation"] = ATTENTION[attention]
    bits = keys.take("quantization_bit")
    if bits in (4, 8):
        model["quantization"] = f"{bits}-bit"
    elif bits is not None:
        keys.leave("quantization_bit", "must be 4 or 8; train without quantization, or set it in Load Model.")
    is_pure = keys.take("pure_bf16", False)
    if is_pure or (keys.given.get("bf16") and made.adapter is not None):
        model["dtype"] = "bfloat16"  # frozen weights stay so, trained ones are float32
    return model


def _adapter(keys: Keys) -> dict[str, JSON] | None:
    kind = keys.text("finetuning_type", "lora")
    if kind != "lora":
        if kind != "full":
            keys.leave("finetuning_type", f"{shown(kind)} has no node; all weights are trained, or connect a LoRA.")
        return None
    made = keys.into(LoRA, ADAPTER)
    made.setdefault("lora_alpha", 2 * made.get("r", 8))
    if made.get("target_modules", "all") == "all":
        made["target_modules"] = "all-linear"
    return made


def _training(keys: Keys, made: Plan) -> None:
    known = made.method.all_parameters()
    if "max_length" in known and "cutoff_len" not in keys:
        made.settings["max_length"] = 2048
    if keys.take("disable_gradient_checkpointing", False):
        made.settings["gradient_checkpointing"] = False
    if keys.take("train_on_prompt", False) and "completion_only_loss" in known:
        made.settings["completion_only_loss"] = False
    if keys.take("neat_packing", False) and "packing" in known:
        made.settings["packing"] = True


# Rows


def _rows(keys: Keys, places: Places, made: Plan, stage: str) -> None:
    folder = keys.text("dataset_dir", "data")
    table = _table(places, folder)
    limit = keys.take("max_samples")
    for name in _names(keys.take("dataset", [])):
        made.rows.append(list(_dataset(keys, places, folder, table, name, stage, limit)))
    if not made.rows:
        keys.leave("dataset", "names no dataset; add a Load Dataset node.")
    tests = [name for name in _names(keys.given.get("eval_dataset") or []) if name in table]
    if tests:
        keys.take("eval_dataset")
        made.held_out = list(_dataset(keys, places, folder, table, tests[0], stage, limit))
    share = keys.take("val_size", 0)
    if isinstance(share, int | float) and 0 < share < 1:
        made.held_out = {"test_size": float(share)}
    elif share:
        keys.leave("val_size", "must be a share of the rows below 1; insert a Split node.")
    made.settle_evaluation()
    keys.ignore("mix_strategy")


def _names(given: Any) -> list[str]:
    """``a, b`` or a list of names."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    return [str(part).strip() for part in parts if str(part).strip()]


def _table(places: Places, folder: str) -> Mapping[str, Any]:
    """What ``dataset_info.json`` in the folder of datasets says; empty where there is none that can be read."""
    file = places.found(str(Path(folder) / "dataset_info.json"))
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _dataset(
    keys: Keys, places: Places, folder: str, table: Mapping[str, Any], name: str, stage: str, limit: JSON
) -> Iterator[Made]:
    about = table.get(name)
    if not isinstance(about, dict):
        why = "is not in dataset_info.json; its name is taken for that of a Hub dataset, correct the path."
        keys.note("dataset", f"{shown(name)} {why}")
        about = {"hf_hub_url": name}
    load: dict[str, JSON] = {"path": str(about.get("hf_hub_url") or "")}
    if not load["path"]:
        load["path"] = places.of((Path(folder) / str(about.get("file_name", ""))).as_posix())
    for key, parameter in (("subset", "config"), ("split", "split"), ("revision", "revision")):
        if about.get(key):
            load[parameter] = str(about[key])
    if isinstance(limit, int):
        load["limit"] = limit
    yield LoadDataset, load
    yield from _columns(about)
    if stage == "pt":
        return
    is_chat = about.get("formatting") == "sharegpt"
    target = "language modeling" if is_chat and stage == "sft" else TARGETS[stage]
    yield ConvertFormat, {"target": target}


def _columns(about: Mapping[str, Any]) -> Iterator[Made]:
    """The columns by the names that formats usually have."""
    usual = {"prompt": "instruction", "query": "input", "response": "output", "history": "history", "system": "system"}
    usual |= {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "kto_tag": "label"}
    columns = about.get("columns")
    rename = {
        str(old): usual[part]
        for part, old in (columns.items() if isinstance(columns, dict) else ())
        if part in usual and isinstance(old, str) and old != usual[part]
    }
    if rename == {"messages": "conversations"}:
        return  # a usual name of its own
    if rename:
        yield MapColumns, {"rename": rename}
