"""Which of TRL's metrics belong in which plot, and in what order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

SHAPED: Final = "shaped reward"
"""What GRPO learns from if it has a threshold; the reward itself is then logged as ``raw_reward``."""

FIRST: Final[Mapping[str, tuple[str, ...]]] = {
    "loss": ("loss",),
    "reward": ("raw_reward", "reward", "rewards/margins"),
    SHAPED: ("reward",),
    "KL": ("ppo/kl", "kl"),
    "entropy": ("ppo/entropy", "entropy"),
    "explained variance": ("ppo/explained_variance",),
    "ended": ("ppo/ended",),
    "accuracy": ("rewards/accuracies", "mean_token_accuracy"),
    "learning rate": ("learning_rate",),
    "grad norm": ("grad_norm",),
}
"""The plots that come first. Of several metrics the first one that a stage has logged is shown: DPO's reward is the
margin of the chosen over the rejected completion, its accuracy the fraction of pairs in the right order."""

HELP: Final[Mapping[str, str]] = {
    "loss": "The training loss (dashed: on the evaluation set).",
    "reward": "Mean reward of the completions, as the reward gives it; for DPO, the margin of chosen over rejected.",
    SHAPED: "What GRPO learns from: rewards below reward_threshold are reduced by it.",
    "KL": "How far the policy has moved from the reference.",
    "entropy": "Mean entropy of the policy's next-token distribution.",
    "explained variance": "How well PPO's value head predicts returns it has not seen: 1 is perfect, 0 the mean.",
    "ended": "Share of PPO's completions that ended by themselves.",
    "accuracy": "DPO: fraction of pairs in the right order. Else: token accuracy.",
    "learning rate": "The learning rate of the optimizer.",
    "grad norm": "Norm of the gradient before clipping.",
}

UNITS: Final[Mapping[str, str]] = {
    "kl": "nats",
    "entropy": "nats",
    "length": "tokens",
    "tokens": "tokens",
    "time": "s",
    "runtime": "s",
}
"""What values are counted in, by the last word of a metric's name."""


def unit_of(plot: str) -> str:
    """What the values of a plot are counted in; empty where they are plain numbers."""
    return UNITS.get(re.split(r"[/_ ]", plot.lower())[-1], "")


def metric_for(plot: str, logged: Iterable[str]) -> str | None:
    """The metric that a stage shows in ``plot`` (a key of FIRST, or a metric's own name), or None."""
    names = set(logged)
    if plot == SHAPED and "raw_reward" not in names:
        return None
    return next((name for name in FIRST.get(plot, (plot,)) if name in names), None)


def evaluation_of(metric: str) -> str:
    """The name of ``metric`` on the evaluation set in transformers' logs."""
    return f"eval_{metric}"


def plots(logged: Iterable[str]) -> list[str]:
    """Every plot with data: the first ones in their order, then all other metrics by name."""
    names = set(logged)
    first = [plot for plot in FIRST if metric_for(plot, names)]
    shown = {name for plot in first for name in FIRST[plot][:1]} | {metric_for(plot, names) for plot in first}
    return first + sorted(names - shown, key=lambda name: (name.startswith(("train_", "total_")), name))


def first_plots(logged: Iterable[str]) -> list[str]:
    """The plots that are shown by default."""
    return [plot for plot in plots(logged) if plot in FIRST]
