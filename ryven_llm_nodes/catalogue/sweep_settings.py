"""What a node asks a sweep to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SweepSettings:
    """A sweep as a node describes it, in terms of other nodes of the flow; each value is of the parameter of its name.

    ``vary`` are settings such as ``dpo.beta=0.05,0.1,0.3``, ``metric`` what is optimized and ``prune`` what a trial is
    judged by while it trains: ``NODE.metric``, or a measure of the evaluation that is wired to the input ``measured``.
    """

    vary: tuple[str, ...] = ()
    metric: str = ""
    maximize: bool = True
    trials: int | None = None
    seed: int = 0
    prune: str = ""
    measured: str = ""
