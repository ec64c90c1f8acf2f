"""How much a stage does: what its time is proportional to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """The amount of work of a stage.

    ``steps`` are the optimizer steps of a trainer (None where they are known only once its rows are prepared),
    ``rollout`` those that use the same rollout, ``evaluations`` how often it evaluates while it trains; ``rows`` are
    those that an evaluation measures.
    """

    steps: int | None = None
    rollout: int = 1
    evaluations: int = 0
    rows: int | None = None
