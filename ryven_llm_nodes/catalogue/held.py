"""What a stage holds in memory besides the model that it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Head = Literal["log_probs", "logits", "scores"]


@dataclass(frozen=True)
class Held:
    """What a trainer keeps next to the weights, gradients and optimizer state of its policy.

    ``reference``: a frozen copy of the policy. ``critic``: a second backbone that is trained, a ``copy`` of the
    policy's or loaded from a place. ``head`` is what a forward pass computes of its last hidden states: ``log_probs``
    in chunks, without all ``logits``, or the ``scores`` of a classifier. Models that are connected are not in it.
    """

    reference: bool = False
    critic: str = ""
    head: Head = "log_probs"
