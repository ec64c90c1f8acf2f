"""What is said about metrics: each rule at what it is for, and silence for an ordinary run."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import pytest

from ryven_llm_nodes.run.health.rules import RULES, complaints


def around(mean: float, count: int = 90, spread: float = 0.01) -> list[float]:
    draw = random.Random(0)
    return [mean + draw.gauss(0, spread) for _ in range(count)]


def towards(start: float, end: float, count: int = 90) -> list[float]:
    noise = around(0, count, abs(end - start) / 50)
    return [start + (end - start) * i / (count - 1) + noise[i] for i in range(count)]


ORDINARY_GRPO: Mapping[str, list[float]] = {
    "loss": around(0, spread=0.05),
    "reward": towards(0.2, 0.6),
    "frac_reward_zero_std": around(0.3),
    "completions/clipped_ratio": around(0.2),
    "kl": towards(0, 0.1),
    "entropy": towards(1.2, 0.4),
    "clip_ratio/region_mean": around(0.05),
    "grad_norm": around(0.8, spread=0.2),
}
ORDINARY_SFT: Mapping[str, list[float]] = {
    "loss": [2 + 2 * math.exp(-i / 20) for i in range(90)],
    "eval_loss": [3, 2.6, 2.4, 2.41, 2.39],
    "grad_norm": towards(3, 1),
    "entropy": towards(2, 1.5),
}
ORDINARY_DPO: Mapping[str, list[float]] = {
    "loss": towards(0.69, 0.3),
    "rewards/chosen": towards(0, 0.5),
    "rewards/rejected": towards(0, -1.5),
    "grad_norm": around(2, spread=0.5),
}
ORDINARY_PPO: Mapping[str, list[float]] = {
    **ORDINARY_GRPO,
    "ppo/kl": towards(0, 8),
    "ppo/clip_fraction": around(0.1),
    "ppo/explained_variance": towards(-0.2, 0.5),
}
CASES = {
    "equal rewards": ({"frac_reward_zero_std": around(1, spread=0)}, "in 100% of the groups"),
    "cut completions": ({"completions/clipped_ratio": around(0.97)}, "97% of the completions"),
    "KL per token": ({"kl": towards(0, 3)}, "nats per token and rising"),
    "KL per completion": ({"ppo/kl": towards(0, 120)}, "nats per completion and rising"),
    "entropy": ({"reward": around(1), "entropy": [*towards(1.5, 0), *[0.01] * 10]}, "the entropy fell from 1.5"),
    "clipping": ({"clip_ratio/region_mean": around(0.5)}, "50% of the token ratios"),
    "PPO clipping": ({"ppo/clip_fraction": around(0.6)}, "60% of the token ratios"),
    "explained variance": ({"ppo/explained_variance": around(-2)}, "explained variance -2.00"),
    "gradient norm": ({"grad_norm": [0.5 * 1.1**i for i in range(90)]}, "the gradient norm grew from"),
    "loss": ({"loss": [*towards(4, 2, 40), *towards(2, 6, 40)]}, "the loss rose from"),
    "overfitting": ({"eval_loss": [2.0, 1.5, 1.6, 1.7, 1.8], "loss": towards(2, 0.5)}, "(1.5 to 1.8)"),
    "flat reward": ({"reward": around(0.3, spread=0.1)}, "the reward has not risen in 90 logged steps"),
    "chosen responses": (
        {"rewards/chosen": towards(0, -3), "rewards/rejected": towards(0, -5)}, "less probable, too",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_is_for(rule: object) -> None:
    seen, words = CASES[rule.name]
    said = {found.name: text for found, text in complaints(seen)}
    assert words in said[rule.name]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_nothing_is_said_before_there_are_enough_values(rule: object) -> None:
    seen = {name: values[: rule.at_least - 1] for name, values in CASES[rule.name][0].items()}
    assert rule.name not in {found.name for found, _ in complaints(seen)}


@pytest.mark.parametrize("seen", [ORDINARY_GRPO, ORDINARY_SFT, ORDINARY_DPO, ORDINARY_PPO])
def test_an_ordinary_run_is_healthy_at_every_step(seen: Mapping[str, list[float]]) -> None:
    for count in range(1, 91):
        assert complaints({name: values[:count] for name, values in seen.items()}) == []


def test_every_rule_has_a_source_and_a_case() -> None:
    assert {rule.name for rule in RULES} == set(CASES)
    assert all(rule.source for rule in RULES)
