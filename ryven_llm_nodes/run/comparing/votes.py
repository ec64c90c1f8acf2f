"""Blind votes on completions: what the page of a comparison needs for them, and what a file of votes says."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from ryven_llm_nodes.errors import UsageError

SCRIPT: Final = Path(__file__).with_name("votes.js")
TIE: Final = "tie"
Z: Final = 1.959963984540054
"""The quantile of a 95 % interval."""


def voting(prompts: Sequence[Mapping[str, Any]]) -> Markup:
    """The script of a page that shows the answers to ``prompts``; nothing where there is nothing to choose from.

    Votes belong to these very texts: another page has another id.
    """
    models = [answer["model"] for answer in prompts[0]["answers"]] if prompts else []
    if len(models) < 2:
        return Markup("")
    digest = hashlib.sha256(json.dumps(prompts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
    about = {"id": digest[:16], "seed": int(digest[:7], 16), "models": models}
    start = f"startVoting({json.dumps(about)});".replace("<", "\\u003c")  # no text may end the script
    return Markup(f"{SCRIPT.read_text(encoding='utf-8')}\n{start}")


@dataclass(frozen=True)
class Tally:
    """The votes of a file: how many ``votes`` each model got, and how many prompts had no better answer."""

    votes: Mapping[str, int]
    ties: int

    @property
    def total(self) -> int:
        """All votes, ties included."""
        return sum(self.votes.values()) + self.ties

    def share(self, model: str) -> tuple[float, float, float]:
        """The share of the votes for ``model``, of those that are no ties, with its 95 % interval (Wilson)."""
        count = sum(self.votes.values())
        if not count:
            return 0.0, 0.0, 1.0
        share = self.votes[model] / count
        middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
        half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
        return share, middle - half, middle + half


def read_votes(file: Path) -> Tally:
    """The votes in ``file``, as a page of a comparison saves them. Raises UsageError where there are none."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        models, choices = list(map(str, data["models"])), [str(vote["choice"]) for vote in data["votes"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} holds no votes of a page of a comparison: {error}.") from error
    if unknown := next((choice for choice in choices if choice not in (*models, TIE)), None):
        raise UsageError(f"{file} holds a vote for {unknown!r}, which is none of {', '.join(models)}.")
    return Tally({name: choices.count(name) for name in models}, choices.count(TIE))
