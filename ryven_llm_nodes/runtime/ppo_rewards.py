"""What PPO makes of scores before it learns from them: one unit for any reward, kept over the run."""

from dataclasses import asdict, dataclass

import torch


@dataclass
class RunningScores:
    """Mean and variance of the scores so far: a rollout counts `decay` times as much as the next one.

    Normalised scores do not depend on the offset and the scale of the reward (arXiv 2403.17031, section 3; the scale
    alone as in OpenAI Baselines' VecNormalize). Recent rollouts weigh more, since the policy improves.
    """

    decay: float = 0.9
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

    def normalise(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B,) in standard deviations from the mean; 0 as long as all were equal."""
        deviation = self.variance**0.5
        tiny = 1e-6 * abs(self.mean)  # what rounding alone makes of equal scores
        return (scores - self.mean) / deviation if deviation > tiny else torch.zeros_like(scores)

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return asdict(self)
