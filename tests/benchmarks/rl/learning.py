"""What is written down while a method learns: the mean success of every rollout, and the processor time until then."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .tasks import Completion, Task


@dataclass
class Watch:
    """The learning curve of one run. It ends the process where the one that started it is gone (by kill -9)."""

    task: Task
    curve: list[tuple[int, float, float]] = field(default_factory=list)  # completions so far, seconds, mean success
    began: float = 0.0
    parent: int = field(default_factory=os.getppid)

    def start(self) -> None:
        """Begin to count processor time: all threads of this process."""
        self.began = time.process_time()

    def seconds(self) -> float:
        """Processor time since the start."""
        return time.process_time() - self.began

    def add(self, completions: list[Completion]) -> None:
        """Write down the success of a rollout."""
        if os.getppid() != self.parent:
            raise SystemExit("bench_rl: the process that started this one has ended, so does this one")
        before = self.curve[-1][0] if self.curve else 0
        mean = sum(map(self.task.success, completions)) / len(completions)
        self.curve.append((before + len(completions), round(self.seconds(), 3), mean))


def completion_of(task: Task, prompt: str, text: str, ids: list[int], eos: int) -> Completion:
    """What the rewards see of a completion's tokens `ids`, padding left out."""
    return Completion(prompt, text, len(ids), bool(ids) and ids[-1] == eos, task.length)


def reward_functions(watch: Watch, eos: int) -> list[Callable[..., list[float]]]:
    """The rewards of a task for TRL's trainers; the first one also fills the watch, once per rollout."""

    def function(index: int) -> Callable[..., list[float]]:
        def reward(prompts: list, completions: list, completion_ids: list, **kwargs: Any) -> list[float]:
            rows = zip(prompts, completions, completion_ids, strict=True)
            seen = [completion_of(watch.task, *row, eos) for row in rows]
            if index == 0:
                watch.add(seen)
            return [watch.task.scores[index](completion) for completion in seen]

        reward.__name__ = f"reward_{index}"
        return reward

    return [function(index) for index in range(len(watch.task.scores))]
