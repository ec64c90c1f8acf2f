"""One run of one stage, as the editor shows it."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ryven_llm_nodes.run.events import Completions
from ryven_llm_nodes.run.states import RunState

TOKENS: Final = "num_tokens"
"""The metric by which TRL's trainers count the tokens that they have trained on."""
PACED: Final = 12


@dataclass
class StageRun:
    """One run of one stage.

    ``metrics`` maps a metric's name to its points
    (optimizer step, value), those of ``resumed_at`` steps from before this run; ``completions`` are the latest samples,
    oldest first.
    """

    step: str
    state: RunState = RunState.READY
    done: int = 0
    total: int = 0
    resumed_at: int = 0
    started: float = 0.0
    message: str = ""
    folder: str = ""
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    completions: list[Completions] = field(default_factory=list)
    tokens: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=PACED))
    """When it was told how many tokens it has trained on, and how many."""

    @property
    def is_running(self) -> bool:
        """Whether it is training."""
        return self.state == RunState.RUNNING

    @property
    def tokens_per_second(self) -> float | None:
        """The pace of the last few reports; None for a stage that does not count tokens."""
        if len(self.tokens) < 2 or self.tokens[-1][0] <= self.tokens[0][0]:
            return None
        (began, first), (ended, last) = self.tokens[0], self.tokens[-1]
        return (last - first) / (ended - began)

    @property
    def seconds_left(self) -> float | None:
        """The remaining time at the pace so far, or None before the first step."""
        own = self.done - self.resumed_at
        if own <= 0 or not self.total or not self.is_running:
            return None
        return (time.monotonic() - self.started) / own * (self.total - self.done)

    @property
    def kept_early(self) -> bool:
        """Whether it was ended before the last step, with its model kept."""
        return self.state in (RunState.DONE, RunState.REUSED) and self.done < self.total
