"""What PPO learns from, as types with shapes: B completions of at most T tokens, after prompts of at most P.

TRL shuffles, splits and buffers a rollout as a dictionary of tensors; `of` reads one from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import torch


@dataclass
class Tokens:
    """Prompts, padded on the left, and their completions, padded on the right; a mask is 1 on real tokens."""

    prompt_ids: torch.Tensor  # (B, P)
    prompt_mask: torch.Tensor  # (B, P)
    completion_ids: torch.Tensor  # (B, T)
    completion_mask: torch.Tensor  # (B, T); all 0 for a completion that is left out

    @classmethod
    def of(cls, batch: Mapping[str, Any]) -> Self:
        """The fields of this type in a dictionary that may hold others."""
        return cls(**{known.name: batch[known.name] for known in fields(cls)})

    def split(self, rows: int) -> list["Tokens"]:
        """Batches of at most `rows` completions."""
        columns = [getattr(self, known.name).split(rows) for known in fields(Tokens)]
        return [Tokens(*parts) for parts in zip(*columns, strict=True)]

    def trimmed(self) -> "Tokens":
        """Without the columns that are padding in every row."""
        first = int(self.prompt_mask.any(0).int().argmax())
        length = max(1, int(self.completion_mask.sum(1).max()))
        prompts, completions = (self.prompt_ids, self.prompt_mask), (self.completion_ids, self.completion_mask)
        return Tokens(*(part[:, first:] for part in prompts), *(part[:, :length] for part in completions))


@dataclass
class Rollout(Tokens):
    """Completions, and what the losses compare with, each (B, T)."""

    old_logps: torch.Tensor
    old_values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor  # what the value head learns
    value_scale: torch.Tensor  # a scalar: the square of the unit of the values


@dataclass
class TokenScores:
    """What a forward pass says of every token of the completions, each (B, T)."""

    logps: torch.Tensor
    entropies: torch.Tensor | None = None  # None of a reference, like the values
    values: torch.Tensor | None = None  # V of the state before the token
    last_values: torch.Tensor | None = None  # (B,), V of the state after the last token
    aux_loss: torch.Tensor | None = None  # a scalar: the load-balancing loss of a mixture of experts
