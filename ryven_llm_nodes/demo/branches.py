"""PPO, DPO and GRPO from the same SFT model on the demo's kind of rows, each evaluated, and compared in one table.

The task is to say in one finished sentence what something in Python does. Preference pairs say it by example: the
chosen answer is the sentence, the rejected one surrounds it with filler text. DPO learns from the pairs, PPO from a
reward model that was trained on them, GRPO from a function that states the task. All three are measured by that
function, by the reward model, and by the preference accuracy, on items that no other row is about.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.demo import settings
from ryven_llm_nodes.demo.data import Row, row_of, write_rows
from ryven_llm_nodes.demo.docs import Item, documented_items
from ryven_llm_nodes.demo.rewards import PPO_REWARD_NAME, PPO_REWARD_SOURCE
from ryven_llm_nodes.errors import DemoError
from ryven_llm_nodes.templates import three_methods

ROWS: Final[Mapping[str, tuple[str, int]]] = {
    "answers": ("sft", 48),
    "preferences": ("preferences", 160),
    "prompts": ("ppo_prompts", 192),
    "held_out": ("preferences", 120),
}
"""By file: the kind of rows, and their number."""

_RL: Final = {"max_steps": 24, "learning_rate": 5e-4}
_PAIRS: Final = {"per_device_train_batch_size": 4, "num_train_epochs": 1, "max_length": 160}
_SAMPLES: Final = {"temperature": 0.7, "max_completion_length": 32, "batch_size": 32}
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "lora": settings.LORA,
    "sft": settings.SFT,
    "judge": {**settings.DPO, **_PAIRS, "learning_rate": 1e-3, "beta": None},
    "ppo": {**settings.PPO, **_RL},
    "dpo": {**settings.DPO, **_PAIRS},
    "grpo": {**settings.GRPO, **_RL, "reward_threshold": None},
    **dict.fromkeys(("after_ppo", "after_dpo", "after_grpo"), _SAMPLES),
}


def branches_flow(model: str, data: str = "data") -> dict[str, Any]:
    """The flow over the rows in the folder ``data``, next to the flow file."""
    given = {name: {key: v for key, v in of.items() if v is not None} for name, of in SETTINGS.items()}
    sources = {name: {"path": f"{data}/{name}.jsonl"} for name in ROWS}
    reward = {PPO_REWARD_NAME: {"code": PPO_REWARD_SOURCE}}
    return three_methods("three-methods", {"base": {"path": model}, **sources, **reward, **given}, PPO_REWARD_NAME)


def build_rows(folder: Path, seed: int = 0) -> None:
    """Writes the rows into ``folder``; each documented item is in one row. Raises DemoError where there are too few."""
    items = documented_items()
    needed = sum(count for _, count in ROWS.values())
    if len(items) < needed:
        raise DemoError(f"{needed} documented names of the standard library are needed, found {len(items)}.")
    random.Random(seed).shuffle(items)
    folder.mkdir(parents=True, exist_ok=True)
    supply = iter(items)
    for name in ROWS:
        write_rows(folder / f"{name}.jsonl", _rows(name, supply, random.Random(f"{name} {seed}")))


def _rows(name: str, supply: Iterator[Item], rng: random.Random) -> Iterator[Row]:
    """Those of one file; held-out pairs have the topic too, which the reward function asks for."""
    kind, count = ROWS[name]
    for _ in range(count):
        item = next(supply)
        yield row_of(kind, item, rng) | ({"topic": item.topic} if name == "held_out" else {})
