"""The tasks of the gym, as data: what is rewarded, what counts as success, and how long a method may learn.

Success is the unshaped aim of a task, between 0 and 1. It does not depend on an offset, a scale or the score of a
reward model, so that tasks which differ only in these can be compared.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from .models import GOOD, SECOND, sum_prompts, word_prompts


@dataclass(frozen=True)
class Completion:
    """What a reward function sees."""

    prompt: str
    text: str  # without EOS
    tokens: int  # with EOS
    ended: bool  # whether the last token is EOS
    limit: int  # tokens at most


Score = Callable[[Completion], float]


def share(completion: Completion) -> float:
    """The share of the words that are the good one; 0 for a completion without words."""
    words = completion.text.split()
    return words.count(GOOD) / max(1, len(words))


def in_a_row(completion: Completion) -> float:
    """Whether the two words stand next to each other anywhere."""
    words = completion.text.split()
    return float((GOOD, SECOND) in pairwise(words))


def unused(completion: Completion) -> float:
    """The share of the tokens it might have had that a completion did without."""
    return 1 - completion.tokens / completion.limit


def length_penalty(completion: Completion) -> float:
    """Minus 0.1 per token: never positive."""
    return -0.1 * completion.tokens


def share_if_ended(completion: Completion) -> float:
    """The share of the good word; 0 for a completion that did not end."""
    return share(completion) if completion.ended else 0.0


def ended(completion: Completion) -> float:
    """Whether a completion ended by itself."""
    return float(completion.ended)


def share_and_end(completion: Completion) -> float:
    """The weighted sum of the two rewards of `two-rewards`."""
    return 0.7 * share(completion) + 0.3 * ended(completion)


def right_sum(completion: Completion) -> float:
    """Whether the first number of a completion is the sum that the last line of the prompt asks for."""
    a, b = re.findall(r"\d+", completion.prompt.splitlines()[-1])
    answer = re.search(r"\d+", completion.text)
    return float(answer is not None and int(answer.group()) == int(a) + int(b))


@dataclass(frozen=True)
class Affine:
    """A reward times a factor, plus an offset."""

    of: Score
    factor: float = 1.0
    offset: float = 0.0

    def __call__(self, completion: Completion) -> float:
        return self.factor * self.of(completion) + self.offset


@cache
def _classifier(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()


@dataclass(frozen=True)
class ModelScore:
    """The score of the trained reward model."""

    cache: Path

    def __call__(self, completion: Completion) -> float:
        import torch

        from .models import model_folder

        tokenizer, classifier = _classifier(model_folder("reward-model", self.cache))
        ids = tokenizer(f"{completion.prompt} {completion.text}", return_tensors="pt").input_ids
        with torch.no_grad():
            return classifier(ids).logits.item()


@dataclass(frozen=True)
class Task:
    """One task. `reward` is one score or several, which are added with `weights`."""

    name: str
    reward: Score | tuple[Score, ...]
    success: Score = share
    prompts: Callable[[int], Iterator[str]] = word_prompts  # by seed
    length: int = 12  # tokens per completion, at most
    completions: int = 640
    rollout: int = 16  # completions per rollout
    group: int = 8  # completions per prompt, for methods that compare them
    model: str = "tiny"
    learning_rate: float = 1e-3
    weights: tuple[float, ...] | None = None
    lora: bool = False
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # by method: what differs from its defaults

    @property
    def scores(self) -> tuple[Score, ...]:
        """The rewards, always a tuple."""
        return self.reward if isinstance(self.reward, tuple) else (self.reward,)

    def total(self, completion: Completion) -> float:
        """The weighted sum of the rewards."""
        weights = self.weights or (1.0,) * len(self.scores)
        return sum(weight * score(completion) for weight, score in zip(weights, self.scores, strict=True))


def tasks(cache: Path, smollm: str | None = None) -> dict[str, Task]:
    """All tasks by name: `cache` is where models are, `smollm` the folder of SmolLM2-135M for the task that is slow."""
    found = [
        Task("dense", share),
        Task("sparse", in_a_row, success=in_a_row, completions=1280),
        *(Task(f"offset{c:+}", Affine(share, offset=c)) for c in (-10, -5, -1, 1, 5, 10)),
        *(Task(f"scale-{k:g}", Affine(share, factor=k)) for k in (0.1, 10, 100)),
        Task("length-penalty", length_penalty, success=unused),
        Task("long-96", share, length=96, model="tiny-long"),
        Task("long-256", share, length=256, model="tiny-long"),
        Task("variable-length", share_if_ended, success=share_if_ended, length=24),
        Task("reward-model", ModelScore(cache)),
        Task("two-rewards", (share, ended), success=share_and_end, weights=(0.7, 0.3)),
        Task("lora", share, lora=True, learning_rate=5e-3),
        Task("gpt2-dropout", share, model="tiny-gpt2"),
    ]
    if smollm:
        sizes = {"length": 4, "completions": 480, "rollout": 16, "learning_rate": 1e-5}
        found.append(Task("sums", right_sum, success=right_sum, prompts=sum_prompts, model=smollm, **sizes))
    return {task.name: task for task in found}


def shortened(task: Task, completions: int) -> Task:
    """The task with fewer completions: full rollouts of them."""
    return replace(task, completions=max(task.rollout, completions // task.rollout * task.rollout))
