"""Flows of the methods beside the four that :mod:`flows` draws: one trainer each, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import flows
from flows import FAST, ROLLOUT, node

from ryven_llm_nodes.catalogue import (
    CPO,
    GKD,
    KTO,
    ORPO,
    RLOO,
    Distillation,
    LoadDataset,
    LoRA,
    OnlineDPO,
    RewardFunction,
    TrainRewardModel,
)

MARKED: Final = node(LoadDataset, path="marked.jsonl")
PAIRS: Final = node(LoadDataset, path="pairs.jsonl")
PROMPTS: Final = node(LoadDataset, path="prompts.jsonl")
GROUPS: Final[Mapping[str, Any]] = {**ROLLOUT, "num_generations": 4}
KINDS: Final[Mapping[str, tuple[type, Any, Mapping[str, Any]]]] = {
    "kto": (KTO, MARKED, {**FAST, "train_sampling_strategy": "sequential"}),
    "orpo": (ORPO, PAIRS, FAST),
    "cpo": (CPO, PAIRS, FAST),
    "rloo": (RLOO, PROMPTS, GROUPS),
    "distillation": (Distillation, PROMPTS, ROLLOUT),
    "judge": (TrainRewardModel, PAIRS, FAST),
    "online_dpo": (OnlineDPO, PROMPTS, {**FAST, "max_new_tokens": 8}),
    "gkd": (GKD, node(LoadDataset, path="messages.jsonl"), {**FAST, "max_new_tokens": 8}),
}
"""By step: the class, its rows, and settings that are fast."""


def write_rows(folder: Path) -> None:
    """Completions that are marked good or bad, as KTO takes them, and the weights of another model as a teacher."""
    rows = (
        {"prompt": q, "completion": " yes" if i % 2 else " no", "label": i % 2 == 0}
        for i, q in enumerate(flows.QUESTIONS)
    )
    (folder / "marked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if not (folder / "teacher").exists():
        flows.write_model(folder / "teacher", seed=1)


def alone(method: str, lora: bool = False, **params: Any) -> flows.Project:
    """The trainer, called after its method, and what it needs."""
    kind, rows, fast = KINDS[method]
    nodes = {"base": flows.BASE, "rows": rows, method: node(kind, **{**fast, **params})}
    wires = f"base -> {method}.model, rows -> {method}"
    if method in ("rloo", "online_dpo"):
        nodes["variety"] = node(RewardFunction, code=flows.REWARD)
        wires += f", variety -> {method}"
    if method in ("distillation", "gkd"):
        nodes["teacher"] = node(flows.LoadModel, path="teacher")
        wires += f", teacher -> {method}.teacher"
    if lora:
        nodes["lora"] = node(LoRA, r=4)
        wires += f", lora -> {method}"
    return flows.draw(wires, method, **nodes)
