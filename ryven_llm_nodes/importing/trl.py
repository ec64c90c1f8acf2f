"""TRL's command line: the YAML file of ``trl sft --config FILE``, also of dpo, grpo, rloo, kto and reward.

The flow trains as TRL's script does (``trl/scripts/sft.py`` and the others): with the defaults of TRL's own classes,
not with those of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    KTO,
    RLOO,
    SFT,
    LoadDataset,
    LoadModel,
    LoRA,
    MapColumns,
    SaveModel,
    TrainRewardModel,
)
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.errors import suggestion
from ryven_llm_nodes.importing.keys import Keys
from ryven_llm_nodes.importing.places import Places
from ryven_llm_nodes.importing.plan import Made, Plan, with_library_defaults
from ryven_llm_nodes.importing.rewards import take_rewards
from ryven_llm_nodes.importing.saving import saved_as

METHODS: Final[Mapping[str, Any]] = {
    "sft": SFT,
    "dpo": DPO,
    "grpo": GRPO,
    "rloo": RLOO,
    "kto": KTO,
    "reward": TrainRewardModel,
}
"""The commands of TRL, and the nodes that train as they do."""

MODEL: Final = {
    "model_name_or_path": "path",
    "dtype": "dtype",
    "attn_implementation": "attn_implementation",
    "trust_remote_code": "trust_remote_code",
}
"""TRL's ModelConfig, and the parameters of Load Model."""
ADAPTER: Final = {
    "lora_r": "r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_target_modules": "target_modules",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
}
ADAPTER_DEFAULTS: Final = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05}
"""Those of TRL's ModelConfig."""
ROWS: Final = ("dataset_name", "dataset_config", "dataset_train_split", "dataset_test_split", "dataset_streaming")
MIXTURE: Final = ("datasets", "streaming", "test_split_size")
BUILDERS: Final = ("json", "csv", "parquet", "text", "arrow")
"""Names of builders of ``datasets``, in the place of the name of a dataset."""
REASONS: Final = {
    "env": "environment variables are not stored in a flow; set them in the shell that starts the run.",
    "accelerate_config": "how a run is launched stands in the launch settings of a flow; set them there, or with "
    "`ryven-llm run --launch`.",
    "num_processes": "the number of processes stands in the launch settings of a flow; set it there.",
    "ignore_bias_buffers": "is for old models under DDP; the trainer is used as it is, leave it out.",
    "resume_from_checkpoint": "is decided by the run, which resumes by itself; run the flow again.",
    "config_file": "how a run is launched stands in the launch settings of a flow; set them there.",
    "lora_task_type": "follows from the trainer; leave it out.",
    "lora_target_parameters": "has no parameter in the LoRA node, so these are not adapted; name modules in its "
    "target_modules.",
    "lora_modules_to_save": "has no parameter in the LoRA node; leave it out, or train all weights.",
    "bnb_4bit_quant_type": "4-bit weights are loaded as nf4; leave it out, or train without quantization.",
    "use_bnb_nested_quant": "4-bit weights are loaded without nested quantization; leave it out.",
    "bnb_4bit_quant_storage": "4-bit weights are stored as bitsandbytes does; leave it out.",
    "hub_token": "is a secret, and secrets are not stored in a flow; log in with `hf auth login`.",
    "push_to_hub_token": "is a secret, and secrets are not stored in a flow; log in with `hf auth login`.",
}


def is_trl(given: Mapping[str, Any]) -> bool:
    """Whether these are the keys of TRL's command line."""
    return "model_name_or_path" in given and bool({"dataset_name", "datasets"} & set(given))


def plan(keys: Keys, title: str, places: Places, wanted: str = "") -> Plan:
    """The training that the configuration describes; ``wanted`` is the command of TRL, else it is guessed."""
    command = wanted or _guessed(keys, title)
    method = METHODS[command]
    made = Plan(title, method, model=_model(keys, places), adapter=_adapter(keys, places))
    _quantized(keys, made)
    made.saved = saved_as(keys, SaveModel)
    if made.takes_rewards:
        take_rewards(keys, places, made)
    fields = {name: name for name in method.all_parameters() if name not in ROWS + MIXTURE}
    made.settings = with_library_defaults(method, keys.into(method, fields))
    _precision(keys, made)
    _rows(keys, places, made)
    keys.leave_all(REASONS)
    keys.finish(lambda key: _unknown(key, method))
    return made


def _guessed(keys: Keys, title: str) -> str:
    """The command whose configuration has most of the keys; the file name decides between equals, then SFT."""
    known = {name: set(method.config.fields) for name, method in METHODS.items()}
    given = set(keys.given)
    if given & {"reward_funcs", "reward_model_name_or_path"}:
        known = {name: fields for name, fields in known.items() if name in ("grpo", "rloo")}
    scores = {name: len(given & fields) for name, fields in known.items()}
    best = [name for name, score in scores.items() if score == max(scores.values())]
    named = [name for name in best if name in title.lower()]
    chosen = (named or best)[0]
    if len(best) > 1 and not named:
        others = ", ".join(best[1:])
        keys.note("method", f"the file does not name it, {chosen} is assumed; use --method for {others}.")
    return chosen


def _model(keys: Keys, places: Places) -> dict[str, JSON]:
    made = keys.into(LoadModel, MODEL)
    made["path"] = places.of(str(made.get("path", "")))
    if (revision := keys.text("model_revision", "main")) != "main":
        made["revision"] = revision
    return made


def _adapter(keys: Keys, places: Places) -> dict[str, JSON] | None:
    if not keys.take("use_peft", False):
        for key in [key for key in keys.given if key in ADAPTER]:
            keys.leave(key, "is for LoRA, which use_peft turns on; add a LoRA node, or leave it out.")
        return None
    targets = keys.given.get("lora_target_modules")
    made = {**ADAPTER_DEFAULTS, **keys.into(LoRA, ADAPTER), "keep_adapter": True}
    if isinstance(targets, list) and len(targets) == 1:
        made["target_modules"] = targets[0]  # as TRL's ModelConfig does
    if targets is None:
        made |= _usual_targets(keys, places)
    keys.note("use_peft", "TRL saves the adapter; here it is merged, and saved as well, in the folder adapter/.")
    return made


def _usual_targets(keys: Keys, places: Places) -> dict[str, JSON]:
    """The modules that peft adapts by default in a model of this type, where the type can be read."""
    from ryven_llm_nodes.importing.model_files import default_targets

    targets = default_targets(places.found(str(keys.given.get("model_name_or_path", ""))))
    if targets:
        return {"target_modules": targets}
    keys.note("lora_target_modules", "is not set, and peft's default depends on the model; all linear layers are used.")
    return {}


def _quantized(keys: Keys, made: Plan) -> None:
    for key, bits in (("load_in_4bit", "4-bit"), ("load_in_8bit", "8-bit")):
        if keys.take(key, False):
            made.model["quantization"] = bits
            if bits == "4-bit" and made.model.get("dtype", "float32") != "bfloat16":
                keys.note(key, "weights are computed with in bfloat16; TRL takes dtype, which is float32 by default.")


def _precision(keys: Keys, made: Plan) -> None:
    """TRL trains with bfloat16 unless told otherwise, also on a CPU; here a CPU trains in float32."""
    if made.settings.get("use_cpu") and not {"bf16", "fp16"} & set(made.settings):
        made.settings["bf16"] = True


# Rows


def _rows(keys: Keys, places: Places, made: Plan) -> None:
    evaluates = made.settings.get("eval_strategy", "no") != "no"
    if "datasets" in keys:
        _mixture(keys, places, made, evaluates)
        for key in ROWS:
            if key in keys:
                keys.leave(key, "is not used where datasets is given; leave it out.")
        return
    load: dict[str, JSON] = {"path": places.of(keys.text("dataset_name"))}
    if config := keys.text("dataset_config"):
        load["config"] = config
    if keys.take("dataset_streaming", False):
        keys.leave("dataset_streaming", "rows are loaded in full; set streaming and a limit in Load Dataset.")
    train, test = keys.text("dataset_train_split", "train"), keys.text("dataset_test_split", "test")
    made.rows = [[(LoadDataset, {**load, "split": train})]]
    if evaluates:
        made.held_out = [(LoadDataset, {**load, "split": test})]
    keys.ignore(*MIXTURE)


def _mixture(keys: Keys, places: Places, made: Plan, evaluates: bool) -> None:
    given = keys.take("datasets")
    entries = given if isinstance(given, list) else [given]
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            keys.leave("datasets", f"entry {number + 1} has no path; add a Load Dataset node for it.")
            continue
        made.rows.append(list(_entry(keys.below(entry, f"datasets[{number}]"), places)))
    if keys.take("streaming", False):
        keys.leave("streaming", "rows are loaded in full; set streaming and a limit in Load Dataset.")
    share = keys.take("test_split_size")
    if share is not None and isinstance(share, float) and evaluates:
        made.held_out = {"test_size": share}
        keys.note("test_split_size", "is drawn with the seed 42; TRL draws without a seed, other rows in each run.")
    elif share is not None:
        keys.leave("test_split_size", "holds rows out that are not evaluated; insert a Split node for that.")


def _entry(keys: Keys, places: Places) -> Iterator[Made]:
    path, files = keys.text("path"), keys.take("data_files")
    split = keys.text("split", "train")
    if isinstance(files, dict):
        files = files.get(split.partition("[")[0])
    load: dict[str, JSON] = {"split": split}
    if path in BUILDERS and files:
        load["path"] = [places.of(str(one)) for one in files] if isinstance(files, list) else places.of(str(files))
    else:
        load["path"] = places.of(path)
        if files:
            keys.leave("data_files", "of a Hub dataset are not chosen; download them, and name the files in path.")
    if name := keys.text("name"):
        load["config"] = name
    if "data_dir" in keys:
        keys.leave("data_dir", "is no parameter of Load Dataset; give the folder as its path.")
    if "fraction" in keys:
        keys.leave("fraction", "is no parameter of a node; set the limit of each Load Dataset to its number of rows.")
    yield LoadDataset, load
    if isinstance(columns := keys.take("columns"), list):
        yield MapColumns, {"keep": columns}
    keys.finish(lambda key: "is no field of TRL's DatasetConfig; leave it out.")


def _unknown(key: str, method: Any) -> str:
    near = suggestion(key, [*method.all_parameters(), *MODEL, *ADAPTER, *ROWS])
    other = next((name for name, node in METHODS.items() if key in node.config.fields), "")
    if other:
        return f"is a field of {METHODS[other].config}, not of {method.config}; leave it out, or use --method {other}."
    return f"is no argument of TRL's {method.config}.{near} Set what it does in a node, or leave it out."
