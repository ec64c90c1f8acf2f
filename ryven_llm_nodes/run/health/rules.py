"""Rules about the metrics of a training stage, each with its threshold, its remedy, and its source.

Thresholds are meant to be exceeded by runs that are going wrong, and not by ordinary ones: each rule looks at means
over several logged steps, and is told once per stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import Final

from ryven_llm_nodes.errors import Weight

Series = Mapping[str, Sequence[float]]
"""The values of each metric, in the order in which they were logged."""


@dataclass(frozen=True)
class Rule:
    """``says`` returns what is wrong, in a sentence with the figures and the remedy, or None.

    It is asked once ``metric`` has been logged ``at_least`` times. ``source`` is where the threshold comes from.
    """

    name: str
    metric: str
    at_least: int
    says: Callable[[Series], str | None]
    source: str
    weight: Weight = "warning"


EQUAL: Final = 0.95
CUT: Final = 0.9
KL_PER_TOKEN: Final = 1.0
KL_PER_COMPLETION: Final = 50.0
LEAST_ENTROPY: Final = 0.05
CLIPPED: Final = 0.4
UNEXPLAINED: Final = -0.5
GRADIENT_GREW: Final = 100.0
LOSS_ROSE: Final = 1.5
RISES: Final = 3
FLAT_STEPS: Final = 60


def last(values: Sequence[float], count: int) -> float:
    """The mean of the last ``count`` values."""
    return fmean(values[-count:])


def _rises(values: Sequence[float], count: int = 10) -> bool:
    """Whether the mean of the last ``count`` values is above that of those before."""
    return len(values) >= 2 * count and last(values, count) > fmean(values[-2 * count : -count])


def _equal_rewards(seen: Series) -> str | None:
    share = last(seen["frac_reward_zero_std"], 20)
    if share < EQUAL:
        return None
    return (
        f"in {share:.0%} of the groups of the last 20 logged steps all rewards were equal, and nothing is learned from "
        "them. Use a finer reward, prompts that are neither always nor never solved, or a higher temperature or "
        "num_generations."
    )


def _cut_completions(seen: Series) -> str | None:
    share = last(seen["completions/clipped_ratio"], 20)
    if share < CUT:
        return None
    return (
        f"{share:.0%} of the completions of the last 20 logged steps reached max_completion_length before they ended: "
        "their rewards are those of fragments. Raise max_completion_length, or begin with a model that ends its turns."
    )


def _kl(metric: str, limit: float, unit: str, remedy: str) -> Callable[[Series], str | None]:
    def says(seen: Series) -> str | None:
        values = seen[metric]
        if last(values, 10) < limit or not _rises(values):
            return None
        return (
            f"the KL to the reference is {last(values, 10):.3g} nats per {unit} and rising: the policy may be "
            f"exploiting the reward. Read its completions; {remedy}, or lower learning_rate."
        )

    return says


def _entropy_lost(seen: Series) -> str | None:
    values = seen["entropy"]
    now, first = last(values, 10), fmean(values[:5])
    if "reward" not in seen or now > LEAST_ENTROPY or now > first / 10:
        return None
    return (
        f"the entropy fell from {first:.2g} to {now:.2g} nats per token: samples hardly differ any more, so nothing "
        "new is found. Raise temperature or the entropy or KL coefficient, or lower learning_rate."
    )


def _clipped(metric: str) -> Callable[[Series], str | None]:
    def says(seen: Series) -> str | None:
        share = last(seen[metric], 10)
        if share < CLIPPED:
            return None
        return (
            f"{share:.0%} of the token ratios of the last 10 logged steps were clipped: updates are larger than the "
            "clip range. Lower learning_rate or num_iterations."
        )

    return says


def _unexplained(seen: Series) -> str | None:
    share = last(seen["ppo/explained_variance"], 20)
    if share > UNEXPLAINED:
        return None
    return (
        f"the values explain less than nothing of the returns (explained variance {share:.2f} over the last 20 logged "
        "steps): the advantages are noise. Raise vf_coef, lower learning_rate, or set value_model to separate."
    )


def _gradient_grew(seen: Series) -> str | None:
    values = seen["grad_norm"]
    before, now = median(values[:10]), median(values[-10:])
    if not before or now < GRADIENT_GREW * before:
        return None
    return (
        f"the gradient norm grew from {before:.2g} to {now:.2g}: training is becoming unstable. Lower learning_rate, "
        "or set max_grad_norm to 1."
    )


def _loss_rose(seen: Series) -> str | None:
    if "reward" in seen:  # the loss of a policy gradient is not a measure of progress
        return None
    values = seen["loss"]
    sums = list(accumulate(values, initial=0.0))  # this is asked at every logged step of a long run
    best = min(after - before for before, after in zip(sums, sums[10:], strict=False)) / 10
    now = last(values, 10)
    if best <= 0 or now < LOSS_ROSE * best or not _rises(values):
        return None
    means = f"{best:.3g} to {now:.3g} (means of 10 logged steps)"
    return f"the loss rose from {means}. Lower learning_rate, or warm up longer."


def _overfits(seen: Series) -> str | None:
    evaluated, trained = seen["eval_loss"][-RISES - 1 :], seen.get("loss", ())
    rose = all(later > earlier for earlier, later in pairwise(evaluated))
    if not rose or len(trained) < 20 or _rises(trained):
        return None
    return (
        f"eval_loss has risen {RISES} times in a row ({evaluated[0]:.3g} to {evaluated[-1]:.3g}) while the loss has "
        "not: the model overfits. Stop earlier, or set load_best_model_at_end."
    )


def _flat_reward(seen: Series) -> str | None:
    values = seen["reward"]
    third = len(values) // 3
    first, now = values[:third], values[-third:]
    error = ((_variance(first) + _variance(now)) / third) ** 0.5
    if fmean(now) - fmean(first) > 2 * error:
        return None
    return (
        f"the reward has not risen in {len(values)} logged steps ({fmean(first):.3g} to {fmean(now):.3g}, two standard "
        f"errors are {2 * error:.2g}). Check that it can be reached, or raise learning_rate."
    )


def _variance(values: Sequence[float]) -> float:
    """The sample variance; that of ``statistics`` computes with fractions, which takes long for a long run."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _chosen_fall(seen: Series) -> str | None:
    chosen, rejected = last(seen["rewards/chosen"], 10), last(seen["rewards/rejected"], 10)
    if chosen > -1 or chosen < rejected:
        return None
    return (
        f"the chosen responses became less probable, too (implicit reward {chosen:.2g}; rejected {rejected:.2g}): the "
        "margin grows by unlearning. Raise beta, lower learning_rate, or add an SFT term."
    )


RULES: Final = (
    Rule("equal rewards", "frac_reward_zero_std", 20, _equal_rewards, "DAPO, arXiv 2503.14476: dynamic sampling"),
    Rule("cut completions", "completions/clipped_ratio", 20, _cut_completions, "DAPO, arXiv 2503.14476: truncation"),
    Rule(
        "KL per token", "kl", 20, _kl("kl", KL_PER_TOKEN, "token", "raise beta"),
        "Gao et al., arXiv 2210.10760: rewards are exploited far from the reference",
    ),
    Rule(
        "KL per completion", "ppo/kl", 20, _kl("ppo/kl", KL_PER_COMPLETION, "completion", "raise kl_coef"),
        "Gao et al., arXiv 2210.10760: rewards are exploited far from the reference",
    ),
    Rule("entropy", "entropy", 20, _entropy_lost, "Cui et al., arXiv 2505.22617: entropy collapse"),
    Rule("clipping", "clip_ratio/region_mean", 10, _clipped("clip_ratio/region_mean"), "PPO, arXiv 1707.06347"),
    Rule("PPO clipping", "ppo/clip_fraction", 10, _clipped("ppo/clip_fraction"), "PPO, arXiv 1707.06347"),
    Rule(
        "explained variance", "ppo/explained_variance", 20, _unexplained,
        "VC-PPO, arXiv 2503.01491: bias of the value model",
    ),
    Rule("gradient norm", "grad_norm", 30, _gradient_grew, "Pascanu et al., arXiv 1211.5063: exploding gradients"),
    Rule("loss", "loss", 30, _loss_rose, "chosen here: half as much again as the best mean"),
    Rule("overfitting", "eval_loss", RISES + 1, _overfits, "Prechelt 1998: early stopping"),
    Rule("flat reward", "reward", FLAT_STEPS, _flat_reward, "two standard errors", "note"),
    Rule("chosen responses", "rewards/chosen", 20, _chosen_fall, "DPO-Positive, arXiv 2402.13228", "note"),
)  # fmt: skip


def complaints(seen: Series, rules: Sequence[Rule] = RULES) -> list[tuple[Rule, str]]:
    """What ``seen`` says, rule by rule."""
    asked = ((rule, rule.says(seen)) for rule in rules if len(seen.get(rule.metric, ())) >= rule.at_least)
    return [(rule, text) for rule, text in asked if text]
