"""The critic of PPO: a linear value head inside the policy, and its calibration on every rollout.

A value head that starts at 0 and follows its loss by small steps is wrong for long: about the mean return first,
then about every change of it. All advantages are wrong with it, and what they teach is to end early or late. The
head is linear, so its best weights on a rollout have a closed form; `fit` finds them before the policy moves.

Papers: Value-Calibrated PPO, arXiv 2503.01491. Least squares in place of the gradient: LSTD, Bradtke and Barto 1996.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

FOLDS = 4
RIDGES = (1e6, 10.0, 1.0, 0.1)
"""Penalties on the change of the weights, relative to the mean variance of a feature; the first moves the bias only."""


class ValueHead(nn.Module):
    """V(s_t): one linear unit on a last hidden state, 0 everywhere before training.

    It sits inside the policy, so that both share a forward pass, an optimizer and a distributed wrapper:
    called with `fused_lm_head=True`, the policy returns `values` next to `log_probs` and `entropy`, each
    (B, T - 1) for T tokens, and the `aux_loss` of a mixture of experts. Where no gradient is wanted it also returns
    the `features` (B, T, H) that the values are made of. It is in no state dict, so that the saved policy is a plain
    language model.

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

    @torch.no_grad()
    def move(self, step: torch.Tensor) -> None:
        """Add a step (H + 1,) to the weights and, its last entry, to the bias."""
        self.weight += step[:-1].to(self.weight.dtype)
        self.bias += step[-1:].to(self.bias.dtype)

    @contextmanager
    def off(self) -> Iterator[None]:
        """The policy without values: for the reference that is the policy without its adapter."""
        self.is_on = False
        try:
            yield
        finally:
            self.is_on = True

    def trained(self) -> list[nn.Parameter]:
        """The parameters that learn: all but the frozen ones of a trunk with an adapter."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def _keep_hidden(self, backbone: nn.Module, args: tuple, output: Any) -> None:
        self.hidden = output.last_hidden_state

    def _add_values(self, policy: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        hidden, self.hidden = self.hidden, None
        if not (kwargs.get("fused_lm_head") and self.is_on):
            return output  # generation, or a reference
        if self.trunk is not None:
            inputs = {key: kwargs[key] for key in ("input_ids", "attention_mask", "position_ids") if key in kwargs}
            hidden = self.trunk(**inputs, use_cache=False).last_hidden_state
        features = {} if torch.is_grad_enabled() else {"features": hidden}
        return {**output, "values": self(hidden[:, :-1]), **features}


@torch.no_grad()
def _width(trunk: PreTrainedModel) -> int:
    """The size of a backbone's last hidden states, which no configuration names in the same way."""
    token = torch.zeros(1, 1, dtype=torch.long, device=trunk.device)
    return trunk(token, use_cache=False).last_hidden_state.size(-1)


def _nothing(*args: Any) -> None:
    """What a critic adds to a state dict, and takes from one."""


# Calibration ----------------------------------------------------------------------------------------------


def fold_products(
    features: torch.Tensor, residuals: torch.Tensor, mask: torch.Tensor, folds: torch.Tensor
) -> torch.Tensor:
    """Sums of z z^T over the unmasked tokens of every fold, (FOLDS, H + 2, H + 2), with z = (features, 1, residual).

    `features` is (B, T, H), `residuals` and `mask` (B, T), `folds` (B,) the fold of each completion. These sums are
    all that a least squares fit needs of a rollout, so that processes add them up.
    """
    dtype = torch.float32 if features.device.type == "mps" else torch.float64
    z = torch.cat([features.to(dtype), torch.ones_like(residuals, dtype=dtype)[..., None], residuals[..., None]], -1)
    z = z * mask[..., None]
    return torch.stack([rows.T @ rows for rows in (z[folds == k].flatten(0, 1) for k in range(FOLDS))])


def ridge_step(products: torch.Tensor, ridge: float) -> torch.Tensor:
    """The change (H + 1,) of weights and bias that predicts the residuals best, the weights' change being penalised."""
    size = products.size(0) - 2
    tokens = products[size, size].clamp(min=1)
    x, r = products[:size, size] / tokens, products[size, size + 1] / tokens
    covariance = products[:size, :size] / tokens - torch.outer(x, x)
    penalty = ridge * covariance.diagonal().mean().clamp(min=1e-12)
    penalised = covariance + penalty * torch.eye(size, dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(penalised, products[:size, size + 1] / tokens - x * r)
    return torch.cat([weights, (r - x @ weights).unsqueeze(0)])


def squared_error(products: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """The sum over tokens of (residual - prediction)^2 after a step (H + 1,), a scalar."""
    weights = torch.cat([step, -torch.ones_like(step[:1])])
    return weights @ products @ weights


def fit(products: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The step of the head (H + 1,), and for each fold the step (FOLDS, H + 1) that the other folds ask for.

    How far the head moves, if at all, is what predicts best the completions that a fit has not seen.
    """
    everything = products.sum(0)
    others = everything - products
    stay = torch.zeros_like(everything[0, :-1])
    best = stay, stay.expand(FOLDS, -1)
    least = sum(map(squared_error, products, best[1]))
    for ridge in RIDGES:
        steps = torch.stack([ridge_step(other, ridge) for other in others])
        error = sum(map(squared_error, products, steps))
        if error < least:
            least, best = error, (ridge_step(everything, ridge), steps)
    return best
