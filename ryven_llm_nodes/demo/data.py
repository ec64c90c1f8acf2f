"""Real rows for the four stages, written as JSON lines from the documentation of the standard library.

Every documented item (see `docs.py`) goes to one file only, so no held-out row shares its source with any
training row. All rows are conversational: a user asks what a thing does, an assistant answers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ryven_llm_nodes.demo.docs import Item, documented_items
from ryven_llm_nodes.errors import DemoError

Message = dict[str, str]
Row = dict[str, Any]

SYSTEM = "You explain Python."  # short, since every row repeats it
ROWS: Mapping[str, tuple[int, int]] = {  # file stem: (rows to train on, rows held out)
    "sft": (48, 64),
    "preferences": (32, 64),
    "ppo_prompts": (160, 64),
    "grpo_prompts": (64, 64),
}

OPENINGS = (
    "That is a very good question, and there is a lot to say about `{topic}`.",
    "Well, let me think, because it is not easy to know where to begin with `{topic}`.",
    "Before we get to `{topic}`, it is worth saying that Python is very popular.",
    "I am glad that you asked, since many people have wondered about `{topic}`.",
)
CLOSINGS = (
    "And that is more or less all there is to say, although one could say much more.",
    "I hope that this answers your question, and if it does not, feel free to ask it again.",
    "So, to sum up what I have said, it does what it does, and it does it rather well.",
    "As I have said before, it is useful to know, and it is always good to know things.",
)


@dataclass(frozen=True)
class Split:
    """The two files of one kind of rows."""

    train: Path
    held_out: Path


@dataclass(frozen=True)
class DemoData:
    """The files that `build_data` wrote.

    `sft`: columns prompt, completion. `preferences`: prompt, chosen, rejected. `ppo_prompts` and
    `grpo_prompts`: prompt, topic (the name that is asked about; reward functions are given it).
    """

    folder: Path
    sft: Split
    preferences: Split
    ppo_prompts: Split
    grpo_prompts: Split


def build_data(folder: Path, seed: int = 0) -> DemoData:
    """Write the eight files into `folder`. The same Python version and seed give the same bytes.

    Raises DemoError where the documentation strings are missing (Python was started with ``-OO``).
    """
    items = documented_items()
    needed = sum(train + held_out for train, held_out in ROWS.values())
    if len(items) < needed:
        raise DemoError(
            f"The demo needs {needed} documented names of the standard library, found {len(items)}. "
            "Start Python without -OO (and without PYTHONOPTIMIZE=2), which remove the documentation."
        )
    random.Random(seed).shuffle(items)
    folder.mkdir(parents=True, exist_ok=True)
    supply = iter(items)
    return DemoData(folder, **{stem: _write_split(folder, stem, supply, seed) for stem in ROWS})


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def question(item: Item) -> list[Message]:
    """The prompt about one item."""
    if item.kind == "class":
        text = f"What is the Python class `{item.name}`?"
    else:
        text = f"What does the Python {item.kind} `{item.name}` do?"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def ramble(item: Item, rng: random.Random) -> str:
    """The item's own sentence, surrounded by filler text."""
    parts = [rng.choice(OPENINGS).replace("{topic}", item.topic), item.summary, rng.choice(CLOSINGS)]
    return " ".join(parts)


def _write_split(folder: Path, stem: str, supply: Iterator[Item], seed: int) -> Split:
    """Take the next items and write them as the train and the held-out file of one kind."""
    rng = random.Random(f"{stem} {seed}")
    paths = []
    for part, count in zip(("train", "held_out"), ROWS[stem], strict=True):
        paths.append(folder / f"{stem}_{part}.jsonl")
        write_rows(paths[-1], [row_of(stem, next(supply), rng) for _ in range(count)])
    return Split(*paths)


def row_of(stem: str, item: Item, rng: random.Random) -> Row:
    """The row of one kind about an item."""
    if stem == "sft":
        return {"prompt": question(item), "completion": _answer(item.summary)}
    if stem == "preferences":
        rejected = _answer(ramble(item, rng))
        return {"prompt": question(item), "chosen": _answer(item.summary), "rejected": rejected}
    return {"prompt": question(item), "topic": item.topic}


def _answer(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows as JSON lines."""
    path.write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode("ascii"))
