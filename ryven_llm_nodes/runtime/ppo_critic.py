"""The critic of PPO: a linear value head inside the policy, and its calibration on every rollout.

A value head that starts at 0 and follows its loss by small steps is wrong for long: about the mean return first,
then about every change of it. All advantages are wrong with it, and what they teach is to end early or late. Its
bias is known at once, from the rollout itself: `calibration` gives it before the policy learns.

Paper: Value-Calibrated PPO, arXiv 2503.01491.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


class ValueHead(nn.Module):
    """V(s_t): one linear unit on a last hidden state, 0 everywhere before training.

    It sits inside the policy, so that both share a forward pass, an optimizer and a distributed wrapper:
    called with `fused_lm_head=True`, the policy returns `values` (B, T) of all T tokens next to `log_probs` and
    `entropy` (B, T - 1) and the `aux_loss` of a mixture of experts. It is in no state dict, so that the saved policy
    is a plain language model.

    The hidden state is the policy's own, what the LM head reads, which may be narrower than the layers; or that of a
    `trunk`, a backbone whose weights are the critic's alone.
    """

    def __init__(self, policy: PreTrainedModel, trunk: PreTrainedModel | None = None) -> None:
        super().__init__()
        size = policy.get_output_embeddings().in_features if trunk is None else _width(trunk)
        self.weight = nn.Parameter(torch.zeros(1, size))
        self.bias = nn.Parameter(torch.zeros(1))
        self.trunk = trunk
        self.hidden = None
        self.is_on = True
        for module in self.modules():
            module._save_to_state_dict = module._load_from_state_dict = _nothing
        policy.base_model.register_forward_hook(self._keep_hidden)
        policy.register_forward_hook(self._add_values, with_kwargs=True)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Values (B, T) of hidden states (B, T, H), in float32 for any dtype of the policy."""
        with torch.autocast(hidden.device.type, enabled=False):
            return nn.functional.linear(hidden.float(), self.weight, self.bias).squeeze(-1)

    @contextmanager
    def off(self) -> Iterator[None]:
        """The policy without values: for the reference that is the policy without its adapter."""
        self.is_on = False
        try:
            yield
        finally:
            self.is_on = True

    def learned(self) -> list[nn.Parameter]:
        """The parameters that change in training: all but the frozen ones of a trunk with an adapter."""
        own = [] if self.trunk is None else self.trunk.parameters()
        return [self.weight, self.bias, *(parameter for parameter in own if parameter.requires_grad)]

    def _keep_hidden(self, backbone: nn.Module, args: tuple, output: Any) -> None:
        self.hidden = output.last_hidden_state

    def _add_values(self, policy: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        hidden, self.hidden = self.hidden, None
        if not (kwargs.get("fused_lm_head") and self.is_on):
            return output  # generation, or a reference
        if self.trunk is not None:
            inputs = {key: kwargs[key] for key in ("input_ids", "attention_mask", "position_ids") if key in kwargs}
            hidden = self.trunk(**inputs, use_cache=False).last_hidden_state
        return {**output, "values": self(hidden)}


@torch.no_grad()
def _width(trunk: PreTrainedModel) -> int:
    """The size of a backbone's last hidden states, which no configuration names in the same way."""
    token = torch.zeros(1, 1, dtype=torch.long, device=trunk.device)
    return trunk(token, use_cache=False).last_hidden_state.size(-1)


def _nothing(*args: Any) -> None:
    """What a critic adds to a state dict, and takes from one."""


def calibration(
    residuals: torch.Tensor, mask: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean residual (return less value) over the tokens of the rollout, a scalar, and over all but one completion.

    The second is (B,), for each completion the mean over the tokens of the others: a baseline that knew a completion's
    own return would take away a part of what there is to learn. 0 where there is no other. `residuals` and `mask` are
    (B, T); `total` sums over the processes.
    """
    sums, tokens = (residuals * mask).sum(1), mask.sum(1)
    every, number = total(sums.sum()), total(tokens.sum())
    return every / number.clamp(min=1), (every - sums) / (number - tokens).clamp(min=1)
