"""The arithmetic of PPO on token sequences: pure functions, no model, no trainer.

One row is one completion, one column one of its tokens, so every tensor is (B, T) unless its docstring says
otherwise. `mask` is 1 on the tokens of a completion and 0 on its padding, which is on the right only.

Where tokens are counted across processes, `total` sums a scalar over the processes. Losses are divided
by `count`, the number of tokens that one call stands for: with gradient accumulation and several processes that is
the mean over all calls of an optimizer step, so that every token of the step weighs the same.

Papers: PPO, arXiv 1707.06347. GAE, arXiv 1506.02438. InstructGPT (the KL penalty inside the reward),
arXiv 2203.02155.
"""

from collections.abc import Callable

import torch


def of_one_process(x: torch.Tensor) -> torch.Tensor:
    """The sum of `x` over the processes where there is one."""
    return x


def masked_mean(
    x: torch.Tensor,
    mask: torch.Tensor,
    total: Callable[[torch.Tensor], torch.Tensor] = of_one_process,
    count: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean of `x` (B, T) over the tokens where `mask` is 1, a scalar; 0 where nothing is unmasked.

    With `count`, the sum over these tokens divided by that number instead.
    """
    return total((x * mask).sum()) / (total(mask.sum()) if count is None else count).clamp(min=1.0)


def masked_variance(
    x: torch.Tensor, mask: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor] = of_one_process
) -> torch.Tensor:
    """Variance of `x` (B, T) over the tokens where `mask` is 1, divided by n, a scalar."""
    return masked_mean((x - masked_mean(x, mask, total)) ** 2, mask, total)


def masked_whiten(
    x: torch.Tensor,
    mask: torch.Tensor,
    shift_mean: bool = True,
    total: Callable[[torch.Tensor], torch.Tensor] = of_one_process,
) -> torch.Tensor:
    """`x` (B, T) scaled to unit variance over its unmasked tokens; `shift_mean=False` keeps the mean it had.

    The variance is the unbiased one (divided by n - 1). Masked tokens come back as 0.
    """
    mean, tokens = masked_mean(x, mask, total), total(mask.sum())
    unbiased = tokens / (tokens - 1).clamp(min=1.0)
    variance = masked_variance(x, mask, total) * unbiased
    whitened = (x - mean) * torch.rsqrt(variance + 1e-8)
    return (whitened if shift_mean else whitened + mean) * mask


def k3(log_ratio: torch.Tensor) -> torch.Tensor:
    """Schulman's estimate of KL(p || q) from log(q / p) of samples of p, never negative.

    See joschu.net/blog/kl-approx.html.
    """
    return log_ratio.exp() - 1 - log_ratio


def per_token_rewards(
    scores: torch.Tensor,
    logps: torch.Tensor,
    ref_logps: torch.Tensor,
    mask: torch.Tensor,
    kl_coef: float,
    kl_estimator: str = "k1",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Reward of every token (B, T) and the KL estimate it contains (B, T), as in InstructGPT, equation 2.

    Every token pays `kl_coef` times its estimate of KL(policy || reference); the last token of a completion
    also earns the completion's score. `scores` is (B,). The estimators are Schulman's: "k1" is log(p / q), unbiased;
    "k3" is q / p - 1 - log(q / p), never negative and of lower variance.
    """
    log_ratio = (ref_logps - logps) * mask  # log(q / p): q the reference, p the policy
    kl = -log_ratio if kl_estimator == "k1" else k3(log_ratio)
    positions = torch.arange(mask.size(1), device=mask.device)
    is_last = (positions == mask.sum(1, keepdim=True) - 1).to(kl.dtype)
    return scores.unsqueeze(1) * is_last - kl_coef * kl, kl


def gae(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, gamma: float, lam: float | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalised advantage estimates and returns, both (B, T) and 0 where masked (GAE, equation 16).

        delta_t = r_t + gamma * V_{t+1} - V_t      A_t = delta_t + gamma * lam * A_{t+1}      R_t = A_t + V_t

    An episode ends with the last token of its completion: the value after it is 0. `lam` is one number, or (B,) a
    number for each completion. The returns come from these advantages, never from whitened ones.
    """
    values, rewards = values * mask, rewards * mask
    advantages = torch.zeros_like(rewards)
    advantage = next_value = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.size(1))):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = (delta + gamma * lam * advantage) * mask[:, t]
        next_value = values[:, t]
        advantages[:, t] = advantage
    return advantages, advantages + values


def length_adaptive_lam(mask: torch.Tensor, lam: float, alpha: float) -> torch.Tensor:
    """Lambda of each completion (B,): 1 - 1 / (alpha * its tokens), at least `lam` (VAPO, equation 7).

    GAE then looks `alpha` times the length ahead, so that the score reaches the first tokens of a long completion.
    """
    return (1 - 1 / (alpha * mask.sum(1)).clamp(min=1e-8)).clamp(min=lam)


def means_by_third(
    x: torch.Tensor, mask: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor] = of_one_process
) -> list[torch.Tensor]:
    """Means of `x` (B, T) over the first, the second and the last third of each completion, three scalars."""
    positions = torch.arange(mask.size(1), device=mask.device)
    thirds = (3 * positions / mask.sum(1, keepdim=True).clamp(min=1.0)).floor()  # (B, T)
    return [masked_mean(x, mask * (thirds == third), total) for third in range(3)]


def policy_loss(
    logps: torch.Tensor,
    old_logps: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    epsilon: float,
    epsilon_high: float | None = None,
    count: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """PPO's clipped surrogate (PPO, equation 7, negated: lower is better) and the fraction of tokens clipped.

    `old_logps` are the rollout's log-probabilities. The ratio is held to [1 - epsilon, 1 + epsilon_high];
    without an `epsilon_high` both sides use `epsilon`. Both results are scalars.
    """
    ratio = torch.exp((logps - old_logps) * mask)
    clipped = ratio.clamp(1 - epsilon, 1 + (epsilon if epsilon_high is None else epsilon_high))
    unclipped_loss, clipped_loss = -advantages * ratio, -advantages * clipped
    clip_fraction = masked_mean((clipped_loss > unclipped_loss).float(), mask, count=count)
    return masked_mean(torch.max(unclipped_loss, clipped_loss), mask, count=count), clip_fraction


def value_loss(
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    mask: torch.Tensor,
    cliprange: float,
    count: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Half the squared error of values clipped around the rollout's, and the fraction of tokens clipped.

    A value gains nothing by moving further than `cliprange` from `old_values`. Both results are scalars.
    """
    clipped = torch.clamp(values, old_values - cliprange, old_values + cliprange)
    error, clipped_error = (values - returns) ** 2, (clipped - returns) ** 2
    clip_fraction = masked_mean((clipped_error > error).float(), mask, count=count)
    return 0.5 * masked_mean(torch.max(error, clipped_error), mask, count=count), clip_fraction


def explained_variance(
    values: torch.Tensor,
    returns: torch.Tensor,
    mask: torch.Tensor,
    total: Callable[[torch.Tensor], torch.Tensor] = of_one_process,
) -> torch.Tensor:
    """Explained variance of `returns` by `values`, a scalar: 1 is a perfect prediction, 0 no better than the mean."""
    unexplained = masked_variance(returns - values, mask, total)
    return 1 - unexplained / masked_variance(returns, mask, total).clamp(min=1e-8)
