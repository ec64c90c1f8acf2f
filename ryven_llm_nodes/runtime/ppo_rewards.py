"""What PPO makes of scores before it learns from them: one unit for any reward, kept over the run."""

from dataclasses import asdict, dataclass

import torch


@dataclass
class RunningScores:
    """Mean and variance of the scores so far: a rollout counts `decay` times as much as the next one.

    Normalized scores do not depend on the offset and the scale of the reward (arXiv 2403.17031, section 3; the scale
    alone as in OpenAI Baselines' VecNormalize). The statistics forget fast, since the policy improves: where the mean
    lags behind, nearly every score is positive, and discounted, which makes short completions look better than they
    are.
    """

    decay: float = 0.5
    count: float = 0.0
    mean: float = 0.0
    variance: float = 0.0

    def update(self, scores: torch.Tensor) -> None:
        """Add the scores (B,) of a rollout, those of all processes (Chan et al. 1979)."""
        if not len(scores):
            return
        scores, old = scores.double(), self.decay * self.count
        count, difference = old + len(scores), scores.mean().item() - self.mean
        new_share = len(scores) / count
        spread = scores.var(correction=0).item()
        self.variance += new_share * (spread - self.variance + (1 - new_share) * difference**2)
        self.mean += new_share * difference
        self.count = count

    def normalize(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B,) in standard deviations from the mean; 0 as long as all were equal."""
        deviation = self.variance**0.5
        tiny = 1e-6 * abs(self.mean)  # what rounding alone makes of equal scores
        return (scores - self.mean) / deviation if deviation > tiny else torch.zeros_like(scores)

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return asdict(self)


def scores_of_truncated(
    scores: torch.Tensor,
    has_ended: torch.Tensor,
    next_values: torch.Tensor,
    treatment: str,
    penalty: float,
    gamma: float,
) -> torch.Tensor:
    """What completions earn, (B,), from their scores (B,) and the values (B,) after their last tokens.

    One that did not end keeps its score ("score"), loses `penalty` ("penalty"), or earns what the value head expects
    of its continuation ("bootstrap": a limit of length is no end of the episode, arXiv 1712.00378).
    """
    if treatment == "penalty":
        return torch.where(has_ended, scores, scores - penalty)
    if treatment == "bootstrap":
        return torch.where(has_ended, scores, gamma * next_values)
    return scores


def adapted_kl_coef(kl_coef: float, kl: float, target: float, completions: int, horizon: int) -> float:
    """The KL coefficient after a rollout whose completions had a mean KL of `kl` (Ziegler et al., arXiv 1909.08593)."""
    error = min(max(kl / target - 1, -0.2), 0.2)
    return kl_coef * (1 + error * completions / horizon)
