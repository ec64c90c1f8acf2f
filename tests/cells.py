"""Flows around one node, the last one drawn, to see the text that it gives to a script: a case a variant of that text.

Every class of the catalogue has the cases ``<stem>_defaults`` and, where it has optional inputs, ``<stem>_all_wired``
without a line here; ``CASES`` adds what its parameters, and those of the nodes before it, change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import flows
from flows import Drawn, Project, draw, launched, node

from ryven_llm_nodes.catalogue import (
    ALL_NODES,
    DPO,
    GRPO,
    PPO,
    SFT,
    ChatTemplate,
    CombineRewards,
    ConvertFormat,
    Deduplicate,
    Environment,
    Evaluate,
    ExactMatch,
    Filter,
    ImportModel,
    InlineTable,
    Keywords,
    LengthReward,
    LLMNode,
    LoadDataset,
    LoadModel,
    LoRA,
    MapColumns,
    MathAccuracy,
    MetricsFunction,
    Mix,
    OverlongPunishment,
    PatternMatch,
    RepetitionPenalty,
    RewardFunction,
    RewardModel,
    RolloutFunction,
    SaveModel,
    Split,
    Threshold,
    Tools,
    ValidJSON,
)
from ryven_llm_nodes.catalogue.parameters import Parameter

ODD = 'it\'s "odd" \\ {x} %s \u2028 é 😀'
"""Quotes of both kinds, a backslash, what formats would fill in, a line separator, and letters of all kinds."""

SUPPLY: Mapping[str, Drawn] = {
    "model": node(LoadModel, path="owner/model"),
    "dataset": node(LoadDataset, path="owner/data"),
    "reward": node(RewardFunction, code=flows.REWARD),
    "adapter": node(LoRA, r=4),
    "report": node(Evaluate),
    "tools": node(Tools),
    "environment": node(Environment),
    "metrics": node(MetricsFunction),
    "rollout": node(RolloutFunction),
}
"""What is wired to an input where a case says nothing else, by kind."""


def supplied(name: str, kind: str) -> tuple[dict[str, Drawn], list[str]]:
    """A node called ``name`` that gives a value of ``kind``, those that it needs itself, and the wires between them."""
    nodes, wires = {name: SUPPLY[kind]}, []
    for port in (port for port in SUPPLY[kind][0].in_ports if not port.optional):
        more_nodes, more_wires = supplied(f"{name}_{port.name}", port.kind)
        nodes = more_nodes | nodes
        wires += [*more_wires, f"{name}_{port.name} -> {name}.{port.name}"]
    return nodes, wires


def case(
    kind: type[LLMNode], *wired: str, name: str = "", given: Mapping[str, Drawn] = MappingProxyType({}), **params: Any
) -> Project:
    """A node with its required inputs, those that are ``wired``, and those that are ``given`` a node of their own."""
    name = name or kind.stem
    ports = {port.name: port for port in kind.in_ports if not port.optional or port.name in (*wired, *given)}
    nodes, wires = {}, [f"its_{port} -> {name}.{port}" for port in ports]
    for port in ports:
        own, more = ({f"its_{port}": given[port]}, []) if port in given else supplied(f"its_{port}", ports[port].kind)
        nodes, wires = nodes | own, more + wires
    return draw(", ".join(wires), "cells", **nodes, **{name: (kind, _required(kind) | params)})


def _required(kind: type[LLMNode]) -> dict[str, Any]:
    """A value for every parameter that has to be set."""
    empty = [p for p in kind.parameters if p.required and p.default == ""]
    return {parameter.name: "owner/name" for parameter in empty}


def seen_in(user: type[LLMNode], port: str, *before: tuple[str, Drawn], wires: str = "", **params: Any) -> Project:
    """The case of a node without a text of its own: what it changes is the text of the one that it is wired to."""
    rest = [p for p in user.in_ports if not p.optional and p.name != port]
    nodes = {f"its_{p.name}": SUPPLY[p.kind] for p in rest} | dict(before)
    ends = [f"its_{p.name} -> {user.stem}.{p.name}" for p in rest] + [f"{before[-1][0]} -> {user.stem}.{port}"]
    full = ", ".join([*ends, *filter(None, [wires])])
    return draw(full, "cells", **nodes, **{user.stem: node(user, **params)})


USING_ALL: Mapping[type[LLMNode], Mapping[str, Any]] = {Filter: {"unit": "tokens", "max_length": 9}}
"""Settings without which an optional input would change nothing."""


def of_class(kind: type[LLMNode]) -> dict[str, Project]:
    """The cases that every class has."""
    optional = [port.name for port in kind.in_ports if port.optional]
    cases = {f"{kind.stem}_defaults": case(kind)}
    return cases | ({f"{kind.stem}_all_wired": case(kind, *optional, **USING_ALL.get(kind, {}))} if optional else {})


# Code of users

SEVERAL = '''import re

PATTERN = re.compile(r"[.!?]\\s*$")  # "quotes", 'quotes', back\\slash, 😀


def first(completions, **kwargs):
    return [1.0 for _ in completions]


def second(completions, **kwargs):
    """1 where a completion ends like a sentence:

        indented, é
    """
    return [float(bool(PATTERN.search(str(text)))) for text in completions]


def _helper(text):
    return text
'''
ASYNC = "async def patient(completions, **kwargs):\n    return [1.0 for _ in completions]\n"
RECURSIVE = "def again(completions, **kwargs):\n    return again.__name__ and [1.0 for _ in completions]\n"
BESIDE = "import helper_beside\n\n\ndef scored(completions, **kwargs):\n    return helper_beside.scores(completions)\n"


def write_beside(folder: Path) -> None:
    """The files that cases name: data of :mod:`flows`, and what lies beside a flow."""
    flows.write_data(folder)
    flows.write_hollow_model(folder / "model")
    (folder / "rows.json").write_text(json.dumps([{"prompt": "a", "completion": "b"}]))
    (folder / "rows.csv").write_text("prompt,completion\na,b\n")
    (folder / "rows.parquet").touch()
    (folder / f"{ODD.replace(chr(0x2028), '')}.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    (folder / "odd.csv").write_text("prompt;label;score\na;true;1\n", encoding="utf-16")
    (folder / "dates.jsonl").write_text('{"text": "2024-03-01"}\n')
    (folder / "under.json").write_text('{"version": 1, "data": [{"text": "a"}]}')
    (folder / "[clean] rows.jsonl").write_text('{"text": "a"}\n')
    (folder / "folder").mkdir()
    for name, files in {"saved": ("state.json", "dataset_info.json"), "splits": ("dataset_dict.json",)}.items():
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_text("{}")
    (folder / "helper_beside.py").write_text("def scores(completions):\n    return [1.0 for _ in completions]\n")
    for name in ("chat.jinja", "plan.json", "accelerate.json", "fsdp.json"):
        (folder / name).write_text("{}")


def _rewards(**weights: float) -> Project:
    """GRPO on two rewards."""
    parts = (("one", node(RewardFunction, code=flows.REWARD)), ("two", node(RewardModel, path="owner/judge")))
    mix = ("mix", node(CombineRewards, **weights))
    return seen_in(PPO, "reward", *parts, mix, wires="one -> mix, two -> mix")


def _weighted(threshold: float | None) -> Project:
    parts = (("one", node(RewardFunction, code=flows.REWARD)), ("two", node(RewardFunction, code=SEVERAL)))
    mix = ("mix", node(CombineRewards, weight_1=1.0, weight_2=0.25))
    return seen_in(GRPO, "reward", *parts, mix, wires="one -> mix, two -> mix", reward_threshold=threshold)


def _chained() -> Project:
    """Five rewards, and a sum of a sum: too long for a line."""
    parts = [(f"reward_number_{i}", node(RewardFunction, code=flows.REWARD)) for i in range(1, 6)]
    inner, outer = ("inner", node(CombineRewards, weight_2=0.5)), ("outer", node(CombineRewards, weight_1=3.0))
    wires = ", ".join(f"{name} -> {'inner' if i < 4 else 'outer'}" for i, (name, _) in enumerate(parts))
    return seen_in(PPO, "reward", *parts, inner, outer, wires=f"inner -> outer.reward_1, {wires}")


def _model(**params: Any) -> dict[str, Drawn]:
    return {"model": node(LoadModel, **{"path": "owner/model", **params})}


def _essentials(kind: type[LLMNode], **values: Any) -> Project:
    """Every essential parameter at another value than its default."""
    return case(kind, **{p.name: values.get(p.name, _other(p)) for p in kind.parameters})


def _other(parameter: Parameter) -> Any:
    default = parameter.default
    return default * 2 if isinstance(default, int) and not isinstance(default, bool) else (default or 0.5) / 2


ALPACA = node(InlineTable, rows='{"instruction": "a", "input": "", "output": "b"}')
ANSWERS = node(InlineTable, rows='{"question": "a", "answer": "b", "id": 1}')

FILES = {
    "chat_template_path": "chat.jinja",
    "deepspeed": "plan.json",
    "accelerator_config": "accelerate.json",
}

CASES: dict[str, Project] = {
    # Sources
    "base_model_local": case(LoadModel, path="model"),
    "base_model_odd_name": case(LoadModel, name=f"Basis {ODD}\n"),
    "imported_gguf": case(
        ImportModel, path="owner/files", gguf_file="model.Q4_K_M.gguf", revision="v1", dtype="bfloat16"
    ),
    "imported_adapter_of_another": case(ImportModel, path="owner/adapter", base="model"),
    "base_model_name_of_python": case(LoadModel, name="class"),
    "dataset_json": case(LoadDataset, path="rows.json"),
    "dataset_jsonl_of_several_files": case(LoadDataset, path="s*.jsonl"),
    "dataset_csv": case(LoadDataset, path="./rows.csv"),
    "dataset_parquet": case(LoadDataset, path="rows.parquet"),
    "dataset_folder": case(LoadDataset, path="./folder"),
    "dataset_of_the_hub": case(LoadDataset, config="main", split="train[:1000]", revision="v1.0"),
    "dataset_shuffle": case(LoadDataset, shuffle=True),
    "dataset_shuffle_and_limit": case(LoadDataset, shuffle=True, seed=7, limit=100),
    "dataset_limit": case(LoadDataset, limit=1),
    "dataset_odd_path": case(LoadDataset, path=f"{ODD.replace(chr(0x2028), '')}.jsonl", name=ODD),
    "dataset_odd_values": case(LoadDataset, config=ODD, split=f"{ODD}\n", revision=ODD),
    "dataset_csv_odd": case(LoadDataset, path="odd.csv", types={"score": "float64"}),
    "dataset_of_dates": case(LoadDataset, path="dates.jsonl"),
    "dataset_under_a_key": case(LoadDataset, path="under.json"),
    "dataset_brackets": case(LoadDataset, path="[clean] rows.jsonl"),
    "dataset_of_a_list": case(LoadDataset, path=["sft.jsonl", "t*.jsonl"]),
    "dataset_saved": case(LoadDataset, path="./saved"),
    "dataset_saved_splits": case(LoadDataset, path="./splits", split="test", limit=2),
    "dataset_streaming": case(LoadDataset, streaming=True, shuffle=True, limit=100),
    # Data
    "converted_alpaca": case(ConvertFormat, given={"dataset": ALPACA}, form="standard"),
    "converted_columns": case(ConvertFormat, given={"dataset": ANSWERS}, target="prompt-only", system=ODD),
    "converted_told": case(ConvertFormat, source="hh-rlhf", target="preference"),
    "mapped_templates": case(
        MapColumns,
        given={"dataset": ANSWERS},
        templates={
            "prompt": "Q: {question} {{}}\n",
            "messages": [{"role": "user", "content": "{question}"}],
            "x": ODD[:9],
        },
        rename={"answer": "completion"},
        keep=["prompt", "completion"],
    ),
    "filtered_by_all": case(
        Filter,
        "model",
        columns=["prompt"],
        min_length=1,
        max_length=99,
        unit="tokens",
        pattern=r"^\w{1,2}\s",
        code="import math\n\n\ndef short(row):\n    return math.log(len(row['prompt'])) < 3\n",
    ),
    "filtered_by_characters": case(Filter, max_length=5, pattern=ODD, exclude=True),
    "filtered_by_none": case(Filter, not_empty=False),
    "split_in_order": case(Split, shuffle=False, test_size=0.5),
    "split_stratified": case(Split, stratify="label", seed=7),
    "mixed_weights": case(Mix, "dataset_3", weight_1=2.0, weight_3=0.5, seed=1, stopping_strategy="all_exhausted"),
    "mixed_concatenated": case(Mix, mode="concatenate", shuffle=True),
    "templated_file": case(ChatTemplate, source="file", chat_template_path="chat.jinja"),
    "templated_clone": case(
        ChatTemplate, source="clone", chat_template_path="owner/other", given=_model(revision="v1", dtype="bfloat16")
    ),
    "unique_columns": case(Deduplicate, columns=["prompt", ODD], ignore_case=True),
    "table_of_odd_values": case(InlineTable, rows=json.dumps([{ODD: [None, {"a": ODD}], "b": 0.1}])),
    # Adapters
    "lora_all_set": case(
        LoRA, r=64, lora_alpha=128, lora_dropout=0.05, target_modules=["q_proj", "v_proj"], keep_adapter=True
    ),
    "lora_modules_as_text": case(LoRA, target_modules="q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"),
    "lora_regular_expression": case(LoRA, target_modules=r".*\.(q|v)_proj", name="LoRA 😀"),
    # Rewards
    "reward_named_after_its_node": case(RewardFunction, code=flows.REWARD, name="Is it short?"),
    "reward_not_renamed_where_it_names_itself": case(RewardFunction, code=RECURSIVE, name="mine"),
    "reward_last_of_several": case(RewardFunction, code=SEVERAL),
    "reward_chosen": case(RewardFunction, code=SEVERAL, function="first"),
    "reward_async": case(RewardFunction, code=ASYNC),
    "reward_with_a_module_beside": case(RewardFunction, code=BESIDE),
    "reward_line_ends": case(RewardFunction, code=f"\n\n{flows.REWARD}# \x0c \x1c\r\nTEXT = '''a\r\n  b'''\n\n"),
    "reward_model_in_ppo": seen_in(PPO, "reward", ("judge", node(RewardModel, path="owner/judge"))),
    "reward_model_local": seen_in(PPO, "reward", ("judge", node(RewardModel, path="model"))),
    "reward_model_all_set": seen_in(
        PPO,
        "reward",
        (
            "judge",
            node(
                RewardModel,
                path="owner/judge",
                revision=ODD,
                dtype="bfloat16",
                batch_size=16,
                max_length=512,
                add_eos=True,
                trust_remote_code=True,
            ),
        ),
    ),
    "rewards_in_ppo": _rewards(),
    "rewards_weighted": _rewards(weight_1=0.75, weight_2=-1.0),
    "rewards_of_rewards": _chained(),
    "exact_match_of_a_pattern": case(
        ExactMatch, column="the answer", pattern=r"answer is (\d+)", ignore_case=True, name="Right?"
    ),
    "pattern_match_of_all": case(PatternMatch, pattern=ODD, where="all", ignore_case=True),
    "valid_json_with_keys": case(ValidJSON, keys=["name", ODD]),
    "length_reward_of_tokens": case(LengthReward, unit="tokens", at_least=2, at_most=9),
    "length_reward_of_characters": case(LengthReward, unit="characters"),
    "keywords_unwanted": case(Keywords, wanted=["a", ODD], unwanted=["b"], ignore_case=False),
    "keywords_unwanted_only": case(Keywords, wanted=[], unwanted=["b"]),
    "repetition_penalty_set": case(RepetitionPenalty, ngram_size=2, max_penalty=-0.5),
    "overlong_punishment_set": case(OverlongPunishment, max_completion_len=8, soft_punish_cache=4),
    "math_accuracy_of_a_column": case(MathAccuracy, column="answer"),
    "threshold_in_grpo": seen_in(
        GRPO,
        "reward",
        ("judge", node(RewardModel, path="owner/judge")),
        ("limit", node(Threshold, threshold=0.25, mode="penalize")),
        wires="judge -> limit",
        reward_threshold=None,
    ),
    # SFT, and what all trainers share
    "sft_essentials": _essentials(SFT),
    "sft_model_revision": case(SFT, given=_model(revision="a1b2c3")),
    "sft_model_trust_remote_code": case(SFT, given=_model(trust_remote_code=True)),
    "sft_model_precision_and_attention": case(SFT, given=_model(dtype="bfloat16", attn_implementation="sdpa")),
    "sft_model_init_kwargs": case(SFT, given=_model(revision=ODD), model_init_kwargs={"device_map": None, ODD: [1]}),
    "sft_lora": case(SFT, "adapter"),
    "sft_sharded": launched(case(SFT, "adapter"), processes=8, strategy="fsdp2", precision="bf16"),
    "sft_lora_kept": case(SFT, given={"adapter": node(LoRA, keep_adapter=True)}),
    "sft_eval_dataset": case(SFT, "eval_dataset"),
    "sft_eval_strategy": case(SFT, "eval_dataset", eval_strategy="steps", eval_steps=50),
    "sft_extra_steps": case(SFT, extra_steps=100),
    "sft_extra_steps_lora": case(SFT, "adapter", extra_steps=100),
    "sft_global_batch": case(SFT, global_batch_size=64),
    "sft_timeout": case(SFT, ddp_timeout=7200),
    "sft_save_strategy_no": case(SFT, save_strategy="no"),
    "sft_fp16": case(SFT, fp16=True),
    "sft_bf16_off": case(SFT, bf16=False),
    "sft_device": case(SFT, use_cpu=True, bf16=True, dataloader_pin_memory=False),
    "sft_seeds": case(SFT, seed=7, data_seed=11),
    "sft_file_fields": case(SFT, **FILES),
    "sft_template_of_the_hub": case(SFT, chat_template_path="owner/model"),
    "sft_odd_name": case(SFT, name=f"1 {ODD}\n"),
    "sft_odd_values": case(SFT, run_name=f"{ODD}\n", project="a\x00b", lr_scheduler_kwargs={ODD: {"a": [None, ODD]}}),
    "sft_long_values": case(SFT, run_name="x" * 120, label_names=[f"a long label {i}" for i in range(9)]),
    "sft_lists": case(SFT, report_to=["none"], label_names=[], lr_scheduler_kwargs={}),
    # PPO
    "ppo_essentials": _essentials(PPO),
    "ppo_lora": case(PPO, "adapter"),
    "ppo_sharded": launched(case(PPO), processes=8, strategy="zero3"),
    "ppo_save_strategy_no": case(PPO, save_strategy="no"),
    "ppo_extra_steps": case(PPO, extra_steps=10),
    # DPO
    "dpo_essentials": _essentials(DPO),
    "dpo_quantized": case(
        DPO,
        "adapter",
        given={**_model(quantization="4-bit"), "reference": node(LoadModel, path="model2/x", quantization="8-bit")},
    ),
    "dpo_reference": case(DPO, "reference"),
    "dpo_reference_as_it_is_loaded": case(
        DPO,
        given={"reference": node(LoadModel, path="model2/x", revision="v1", dtype="float16", trust_remote_code=True)},
    ),
    "dpo_losses": case(DPO, loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5]),
    "dpo_lora": case(DPO, "adapter", "reference"),
    # GRPO
    "grpo_essentials": _essentials(GRPO, num_generations=4),
    "grpo_no_threshold": case(GRPO, reward_threshold=None),
    "grpo_threshold_of_weighted_rewards": _weighted(0.6),
    "grpo_weighted_rewards": _weighted(None),
    "grpo_batch": case(GRPO, per_device_train_batch_size=2, gradient_accumulation_steps=8, num_generations=4),
    "grpo_global_batch": case(GRPO, global_batch_size=64, generation_batch_size=128),
    "grpo_lora": case(GRPO, "adapter"),
    # Ends
    "saved_model_as_it_is_loaded": case(
        SaveModel, given=_model(revision=ODD, trust_remote_code=True), dtype="bfloat16"
    ),
    "saved_model_with_gguf": case(SaveModel, gguf="q8_0", push_to_hub=True, hub_model_id="owner/name"),
    "saved_model_pushed": case(
        SaveModel, push_to_hub=True, hub_model_id="owner/name", hub_private_repo=False, license="mit", about=ODD
    ),
    "saved_model_odd_folder": case(SaveModel, folder="a 'b' \"c\" \\ 😀"),
    "saved_model_absolute": case(SaveModel, folder="/models/final"),
    "saved_model_at_home": case(SaveModel, folder="~/models/final"),
}


def all_cases() -> dict[str, Project]:
    """Every case by the name of its golden."""
    return {name: made for kind in ALL_NODES for name, made in of_class(kind).items()} | CASES
