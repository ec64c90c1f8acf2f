"""The settings of a stage in a rehearsal: a few optimizer steps, each logged, or a few rows; nothing is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.training.stage import EXTRA_STEPS

NOTHING_SENT: Final[Mapping[str, JSON]] = {
    "report_to": "none",
    "push_to_hub": False,
    "log_completions_hub_repo": None,
}
INTERVALS: Final = ("eval_steps", "save_steps")
MEASURED: Final = 8
"""Rows that an evaluation measures."""


def few_steps(given: Mapping[str, JSON], steps: int, known: Collection[str]) -> dict[str, JSON]:
    """What is set instead of what was ``given``, of the parameters that are ``known``.

    What happens every so many steps happens once, at the end: an evaluation, on all its rows, and a checkpoint.
    """
    longest = given.get("max_steps", -1)
    steps = min(steps, longest) if isinstance(longest, int) and longest > 0 else steps
    changed = {"max_steps": steps, EXTRA_STEPS: 0, "logging_steps": 1, "logging_strategy": "steps", **NOTHING_SENT}
    changed |= {name: steps for name in INTERVALS if given.get(name) is not None}
    if given.get("early_stopping"):
        changed["eval_steps"] = steps
    if (given.get("warmup_steps") or 0) >= 1:  # a number of steps, which may be more than there are
        changed["warmup_steps"] = 0
    return {name: value for name, value in changed.items() if name in known}


def few_rows(given: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The values of an evaluation, with a limit of few rows."""
    return {**given, "limit": min(given.get("limit") or MEASURED, MEASURED)}
