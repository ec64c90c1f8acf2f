"""Recipes: well-known pipelines as small flows, with rows that plain Python makes. ``examples/recipes/README.md`` tells
of each what it shows.

They are for SmolLM2-135M on two CPU cores, in less than 15 minutes; opening, checking and exporting them loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    PPO,
    SFT,
    CombineRewards,
    Compare,
    Evaluate,
    ExactMatch,
    GenerateRows,
    LengthReward,
    LLMNode,
    LoadModel,
    LoRA,
    MapColumns,
    Mix,
    PatternMatch,
    Split,
    TrainRewardModel,
)
from ryven_llm_nodes.program.project import Placement, project

MODEL: Final = "HuggingFaceTB/SmolLM2-135M-Instruct"
ADAPTER: Final = {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]}
COMMON: Final = {"gradient_checkpointing": False, "save_strategy": "no", "logging_steps": 1}
SFT_SETTINGS: Final = {
    **COMMON,
    "per_device_train_batch_size": 4,
    "num_train_epochs": 1.0,
    "learning_rate": 1e-3,
    "warmup_steps": 2,
    "max_length": 128,
}
PAIRS: Final = {
    **COMMON,
    "per_device_train_batch_size": 4,
    "max_steps": 40,
    "learning_rate": 5e-4,
    "warmup_steps": 2,
    "max_length": 160,
}
ROLLOUT: Final = {
    **COMMON,
    "max_completion_length": 32,
    "temperature": 0.7,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 2,
    "steps_per_generation": 4,
    "num_iterations": 2,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
}
SAMPLES: Final = {"temperature": 0.7, "max_completion_length": 32, "batch_size": 32}

DOCUMENTATION: Final = '''def documented():
    """Names of the standard library, with the first sentence of their documentation."""
    import importlib
    import inspect
    import re

    modules = """argparse ast base64 bisect calendar cmd codecs collections configparser contextlib copy csv dataclasses
    datetime decimal difflib email.message enum fileinput fnmatch fractions ftplib functools gettext gzip heapq html
    http.client imaplib inspect ipaddress json linecache logging mailbox math mimetypes numbers optparse pathlib pickle
    plistlib pprint queue random sched shelve shlex shutil smtplib socketserver statistics string tarfile tempfile
    textwrap threading timeit tokenize traceback types urllib.parse urllib.request uuid warnings wave weakref zipfile"""
    found = {}
    for module in map(importlib.import_module, modules.split()):
        for owner, thing in sorted(vars(module).items()):
            parts = vars(thing) if inspect.isclass(thing) else {}
            if getattr(thing, "__module__", "") == module.__name__ and not owner.startswith("_"):
                named = {owner: thing, **{f"{owner}.{name}": part for name, part in sorted(parts.items())}}
                for name, one in named.items():
                    text = " ".join((getattr(one, "__doc__", None) or "").split("\\n\\n")[0].split())
                    if re.fullmatch(r"[A-Z][A-Za-z ,'()-]{24,110}\\.", text) and "._" not in name and callable(one):
                        found.setdefault(text, f"{module.__name__}.{name}")
    return sorted((name, text) for text, name in found.items())


def pairs():
    """What something in Python does: a sentence that is right, one that is wrong, and one that is too long."""
    import random

    long = (
        "That is a very good question, and there is a lot to say about it. {} And that is more or less all there is.",
        "Well, let me think, because it is not easy to know where to begin. {} I hope that this answers your question.",
    )
    rng, items = random.Random(0), documented()
    rng.shuffle(items)
    for name, text in items[:400]:
        answers = {"chosen": text, "wrong": rng.choice(items)[1], "long": rng.choice(long).format(text)}
        row = {kind: [{"role": "assistant", "content": answer}] for kind, answer in answers.items()}
        yield {"prompt": [{"role": "user", "content": f"What does {name} do in Python?"}], **row}
'''
ARITHMETIC: Final = '''def sums():
    """The sums of two small numbers, each once, with their results."""
    import random

    cases = [(a, b) for a in range(1, 15) for b in range(1, 15)]
    random.Random(0).shuffle(cases)
    for a, b in cases:
        asked = f"What is {a} + {b}? Answer with the number only."
        yield {"prompt": [{"role": "user", "content": asked}], "answer": str(a + b)}
'''
ADDITION: Final = '''def sums():
    """The sums of two numbers, each once, with an answer to imitate, and the number that is checked."""
    import random

    cases = [(a, b) for a in range(1, 31) for b in range(1, 31)]
    random.Random(0).shuffle(cases)
    for a, b in cases[:400]:
        asked = {"role": "user", "content": f"What is {a} + {b}?"}
        said = {"role": "assistant", "content": f"I add {b} to {a}. The answer is {a + b}."}
        yield {"prompt": [asked], "completion": [said], "answer": str(a + b)}
'''
Node = tuple[str, type[LLMNode], Mapping[str, Any], float, float]
"""A node: its name, class, settings, column and row."""


def instructgpt() -> dict[str, Any]:
    """InstructGPT (arXiv 2203.02155): SFT, a reward model from preference pairs, and PPO against that reward model."""
    nodes: list[Node] = [
        *_documentation("long"),
        ("prompts", MapColumns, {"keep": ["prompt"]}, 3, 3),
        ("sft", SFT, SFT_SETTINGS, 4, 0),
        ("judge", TrainRewardModel, {**PAIRS, "learning_rate": 1e-3}, 5, 1),
        ("ppo", PPO, {**ROLLOUT, "max_steps": 24, "kl_coef": 0.02}, 6, 0),
        ("brief", LengthReward, {"at_least": 5, "at_most": 18}, 5, 3),
        ("measures", CombineRewards, {}, 6, 2),
        ("after_ppo", Evaluate, SAMPLES, 7, 0),
        ("comparison", Compare, {}, 8, 0),
    ]
    wires = [
        *("pairs.train -> judge.dataset", "pairs.train -> prompts.dataset", "prompts.dataset -> ppo.dataset"),
        *("sft.model -> judge.model", "lora.adapter -> judge.adapter", "judge.reward -> ppo.reward"),
        *("sft.model -> ppo.model", "lora.adapter -> ppo.adapter"),
        *("judge.reward -> measures.reward_1", "brief.reward -> measures.reward_2"),
        *_evaluated("ppo", "sft", "pairs.test", "after_ppo"),
        *("measures.reward -> after_ppo.reward", "after_ppo.report -> comparison.report_1"),
    ]
    return _flow("instructgpt", nodes, [*SFT_WIRES, *wires])


def zephyr() -> dict[str, Any]:
    """Zephyr (arXiv 2310.16944): SFT, then DPO on preference pairs, with the SFT model as the reference."""
    nodes: list[Node] = [
        *_documentation("wrong"),
        ("sft", SFT, SFT_SETTINGS, 4, 0),
        ("dpo", DPO, {**PAIRS, "beta": 0.1}, 5, 0),
        ("after_dpo", Evaluate, {"batch_size": 16}, 6, 0),
        ("comparison", Compare, {}, 7, 0),
    ]
    wires = [
        *("sft.model -> dpo.model", "sft.model -> dpo.reference", "pairs.train -> dpo.dataset"),
        *("lora.adapter -> dpo.adapter", "after_dpo.report -> comparison.report_1"),
        *_evaluated("dpo", "sft", "pairs.test", "after_dpo"),
    ]
    return _flow("zephyr", nodes, [*SFT_WIRES, *wires])


def tulu() -> dict[str, Any]:
    """Tulu 3 (arXiv 2411.15124): SFT on several skills, DPO per token, and PPO with a reward that can be verified."""
    pairs = {**PAIRS, "beta": 5.0, "loss_type": ["sigmoid_norm"]}
    rollout = {**ROLLOUT, "max_steps": 48, "kl_coef": 0.05}
    nodes: list[Node] = [
        *_documentation("wrong"),
        ("sums", GenerateRows, {"code": ADDITION}, -1, 3),
        ("taught", Split, {"test_size": 0.75}, 0, 3),
        ("solved", MapColumns, {"keep": ["prompt", "completion"]}, 2, 1),
        ("checked", MapColumns, {"keep": ["prompt", "answer"]}, 1, 3),
        ("asked", Split, {"test_size": 0.25}, 2, 3),
        ("skills", Mix, {}, 3, 0),
        ("sft", SFT, SFT_SETTINGS, 4, 0),
        ("dpo", DPO, pairs, 5, 0),
        ("right", ExactMatch, {"pattern": r"answer is (\d+)"}, 5, 2),
        ("rlvr", PPO, rollout, 6, 0),
        ("after_dpo", Evaluate, SAMPLES, 7, 0),
        ("after_rlvr", Evaluate, SAMPLES, 7, 1),
        ("preferences", Evaluate, {"batch_size": 16}, 7, 2),
        ("comparison", Compare, {}, 8, 0),
    ]
    wires = [
        *("sums.dataset -> taught.dataset", "taught.train -> solved.dataset", "taught.test -> checked.dataset"),
        *("checked.dataset -> asked.dataset", "answers.dataset -> skills.dataset_1"),
        *("solved.dataset -> skills.dataset_2", "skills.dataset -> sft.dataset"),
        *("sft.model -> dpo.model", "sft.model -> dpo.reference", "pairs.train -> dpo.dataset"),
        *("lora.adapter -> dpo.adapter", "lora.adapter -> rlvr.adapter", "dpo.model -> rlvr.model"),
        *("asked.train -> rlvr.dataset", "right.reward -> rlvr.reward"),
        *("right.reward -> after_dpo.reward", "right.reward -> after_rlvr.reward"),
        *_evaluated("dpo", "sft", "asked.test", "after_dpo"),
        *_evaluated("rlvr", "sft", "asked.test", "after_rlvr"),
        *_evaluated("rlvr", "sft", "pairs.test", "preferences"),
        *("after_dpo.report -> comparison.report_1", "after_rlvr.report -> comparison.report_2"),
    ]
    shared = [wire for wire in SFT_WIRES if wire != "answers.dataset -> sft.dataset"]
    return _flow("tulu-3", nodes, [*shared, *wires])


def r1_zero() -> dict[str, Any]:
    """R1-Zero (arXiv 2501.12948): GRPO from a model without SFT, on arithmetic that is checked by its result alone."""
    short = {"max_completion_length": 16}
    nodes: list[Node] = [
        ("base", LoadModel, {"path": MODEL}, 0, 0),
        ("sums", GenerateRows, {"code": ARITHMETIC}, 0, 1),
        ("lora", LoRA, ADAPTER, 0, 2),
        ("right", ExactMatch, {"pattern": r"\d+"}, 0, 3),
        ("form", PatternMatch, {"pattern": r"\W*\d+\W*", "where": "all"}, 0, 4),
        ("parts", Split, {"test_size": 0.25}, 1, 1),
        ("reward", CombineRewards, {"weight_2": 0.2}, 1, 3),
        ("grpo", GRPO, {**ROLLOUT, **short, "max_steps": 96, "num_generations": 8, "reward_threshold": None}, 2, 0),
        ("after_grpo", Evaluate, {**SAMPLES, **short, "samples": 4}, 3, 0),
        ("comparison", Compare, {}, 4, 0),
    ]
    wires = [
        *("base.model -> grpo.model", "sums.dataset -> parts.dataset", "parts.train -> grpo.dataset"),
        *("right.reward -> reward.reward_1", "form.reward -> reward.reward_2", "reward.reward -> grpo.reward"),
        *("lora.adapter -> grpo.adapter", "right.reward -> after_grpo.reward"),
        *_evaluated("grpo", "base", "parts.test", "after_grpo"),
        "after_grpo.report -> comparison.report_1",
    ]
    return _flow("r1-zero", nodes, wires)


def reward_bakeoff() -> dict[str, Any]:
    """Reward-model bake-off (as in RewardBench, arXiv 2403.13787): three reward models on the same held-out pairs."""
    judges = {
        "few_pairs": {**PAIRS, "learning_rate": 1e-3, "max_steps": 8},
        "all_pairs": {**PAIRS, "learning_rate": 1e-3},
        "low_rate": {**PAIRS, "learning_rate": 1e-5},
    }
    nodes: list[Node] = [
        ("base", LoadModel, {"path": MODEL}, 0, 0),
        *_rows("wrong"),
        ("lora", LoRA, ADAPTER, 0, 2),
        ("pairs", Split, {"test_size": 0.25}, 1, 1),
        *((name, TrainRewardModel, settings, 2, row) for row, (name, settings) in enumerate(judges.items())),
        ("judges", CombineRewards, {}, 3, 1),
        ("measured", Evaluate, {"max_completion_length": 8, "batch_size": 32}, 4, 0),
    ]
    wires = ["docs.dataset -> told.dataset", "told.dataset -> pairs.dataset", "judges.reward -> measured.reward"]
    wires += ["base.model -> measured.model", "pairs.test -> measured.dataset"]
    for number, name in enumerate(judges, 1):
        wires += [f"base.model -> {name}.model", f"pairs.train -> {name}.dataset", f"lora.adapter -> {name}.adapter"]
        wires.append(f"{name}.reward -> judges.reward_{number}")
    return _flow("reward-bakeoff", nodes, wires)


RECIPES: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "instructgpt": instructgpt,
    "zephyr": zephyr,
    "tulu-3": tulu,
    "r1-zero": r1_zero,
    "reward-bakeoff": reward_bakeoff,
}

SFT_WIRES: Final = (
    *("docs.dataset -> told.dataset", "told.dataset -> first.dataset"),
    *("first.train -> answers.dataset", "first.test -> pairs.dataset"),
    *("base.model -> sft.model", "answers.dataset -> sft.dataset", "lora.adapter -> sft.adapter"),
)


def _documentation(worse: str) -> list[Node]:
    """The model, and rows about Python: some to imitate, pairs, and pairs that are held out."""
    return [
        ("base", LoadModel, {"path": MODEL}, 0, 0),
        *_rows(worse),
        ("lora", LoRA, ADAPTER, 0, 2),
        ("first", Split, {"test_size": 0.85}, 1, 1),
        ("answers", MapColumns, {"rename": {"chosen": "completion"}, "keep": ["prompt", "completion"]}, 2, 0),
        ("pairs", Split, {"test_size": 0.25}, 2, 2),
    ]


def _rows(worse: str) -> list[Node]:
    """Pairs whose rejected answer is ``worse``: long or wrong."""
    keep = ["prompt", "chosen", "rejected"]
    return [
        ("docs", GenerateRows, {"code": DOCUMENTATION}, -1, 1),
        ("told", MapColumns, {"rename": {worse: "rejected"}, "keep": keep}, 0, 1),
    ]


def _evaluated(model: str, baseline: str, rows: str, report: str) -> Iterable[str]:
    """The wires of an evaluation."""
    ends = {"model": f"{model}.model", "baseline": f"{baseline}.model", "dataset": rows}
    return [f"{source} -> {report}.{port}" for port, source in ends.items()]


def _flow(title: str, nodes: Iterable[Node], wires: Iterable[str]) -> dict[str, Any]:
    placed = [Placement(name, kind, settings, column, row) for name, kind, settings, column, row in nodes]
    return project(title, placed, wires)
