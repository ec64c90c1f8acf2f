"""The arithmetic of PPO, against numbers worked by hand and against TRL 1.12's own lines."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from ryven_llm_nodes.runtime.ppo_math import (
    explained_variance,
    gae,
    k3,
    length_adaptive_lam,
    masked_mean,
    masked_whiten,
    means_by_third,
    per_token_rewards,
    policy_loss,
    value_loss,
)

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "ppo_trl_1_12.json").read_text())


def tensor(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


# Means and whitening


def test_masked_mean_ignores_the_padding() -> None:
    mean = masked_mean(tensor([1, 2, 99], [6, 99, 99]), tensor([1, 1, 0], [1, 0, 0]))
    assert mean.item() == (1 + 2 + 6) / 3


def test_masked_mean_of_nothing_is_zero() -> None:
    assert masked_mean(tensor([5.0, 7.0]), tensor([0.0, 0.0])).item() == 0


def test_whitening_by_hand() -> None:
    # Mean of 1, 3, 5 is 3; unbiased variance (4 + 0 + 4) / 2 = 4; so (x - 3) / 2.
    whitened = masked_whiten(tensor([1, 3, 99], [5, 99, 99]), tensor([1, 1, 0], [1, 0, 0]))
    torch.testing.assert_close(whitened, tensor([-1, 0, 0], [1, 0, 0]))


def test_whitening_can_keep_the_mean() -> None:
    whitened = masked_whiten(tensor([1, 3, 99], [5, 99, 99]), tensor([1, 1, 0], [1, 0, 0]), shift_mean=False)
    torch.testing.assert_close(whitened, tensor([-1 + 3, 0 + 3, 0], [1 + 3, 0, 0]))


# Rewards


def test_k1_penalty_and_score_by_hand() -> None:
    logps, ref_logps = tensor([-1, -2, -3], [-1, 7, 7]), tensor([-1.5, -1, -3], [-3, 8, 9])
    mask = tensor([1, 1, 1], [1, 0, 0])
    rewards, kl = per_token_rewards(torch.tensor([10.0, 20.0]), logps, ref_logps, mask, kl_coef=0.1)
    # log(policy / reference): -1 + 1.5, -2 + 1, -3 + 3 and -1 + 3; the score on the last token of each row.
    torch.testing.assert_close(kl, tensor([0.5, -1.0, 0.0], [2.0, 0.0, 0.0]))
    torch.testing.assert_close(rewards, tensor([-0.05, 0.1, 10.0], [20 - 0.2, 0.0, 0.0]))


def test_k3_penalty_by_hand() -> None:
    logps, ref_logps = tensor([0.0, 0.0]), tensor([math.log(2), math.log(0.5)])
    _, kl = per_token_rewards(torch.zeros(1), logps, ref_logps, torch.ones(1, 2), 0.1, "k3")
    # q / p - 1 - log(q / p) with q / p = 2, then 1 / 2.
    torch.testing.assert_close(kl, tensor([2 - 1 - math.log(2), 0.5 - 1 + math.log(2)]))


def test_k3_is_nothing_for_equal_policies_and_never_negative() -> None:
    assert k3(torch.zeros(1)).item() == 0
    assert k3(torch.tensor([math.log(3)])).item() == pytest.approx(2 - math.log(3))
    assert (k3(torch.linspace(-5, 5, 21)) >= 0).all()


def test_a_completion_that_is_masked_out_earns_nothing() -> None:
    rewards, kl = per_token_rewards(torch.tensor([5.0]), tensor([1, 2]), tensor([3, 3]), tensor([0, 0]), 0.1)
    assert rewards.abs().sum() == 0
    assert kl.abs().sum() == 0


def test_both_estimators_average_to_the_kl() -> None:
    policy, reference = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.3, 0.3, 0.4])
    exact = (policy * (policy / reference).log()).sum()
    for estimator in ("k1", "k3"):
        logs = [probabilities.log().unsqueeze(0) for probabilities in (policy, reference)]
        _, kl = per_token_rewards(torch.zeros(1), *logs, torch.ones(1, 3), 1.0, estimator)
        torch.testing.assert_close((policy * kl[0]).sum(), exact)


# Advantages


def test_gae_by_hand() -> None:
    # gamma 0.5, lambda 0.5, so gamma * lambda = 0.25; the value after the last token is 0.
    rewards, values = tensor([1.0, 2.0, 4.0]), tensor([2.0, 4.0, 8.0])
    delta_2 = 4 + 0 - 8
    delta_1 = 2 + 0.5 * 8 - 4
    delta_0 = 1 + 0.5 * 4 - 2
    a_2, a_1, a_0 = delta_2, delta_1 + 0.25 * delta_2, delta_0 + 0.25 * (delta_1 + 0.25 * delta_2)
    advantages, returns = gae(rewards, values, torch.ones(1, 3), gamma=0.5, lam=0.5)
    torch.testing.assert_close(advantages, tensor([a_0, a_1, a_2]))
    torch.testing.assert_close(returns, tensor([a_0 + 2, a_1 + 4, a_2 + 8]))


def test_gae_ends_with_the_last_token() -> None:
    rewards, values, mask = tensor([1, 2, 100]), tensor([3, 4, 100]), tensor([1, 1, 0])
    padded = gae(rewards, values, mask, 0.9, 0.8)
    alone = gae(rewards[:, :2], values[:, :2], mask[:, :2], 0.9, 0.8)
    for ours, expected in zip(padded, alone, strict=True):
        torch.testing.assert_close(ours, torch.cat([expected, torch.zeros(1, 1)], dim=1))


def test_lambda_one_gives_the_observed_returns() -> None:
    _, returns = gae(tensor([1, 2, 4]), tensor([9, -9, 5]), torch.ones(1, 3), gamma=0.5, lam=1.0)
    torch.testing.assert_close(returns, tensor([1 + 0.5 * 2 + 0.25 * 4, 2 + 0.5 * 4, 4]))


def test_lambda_zero_looks_one_step_ahead() -> None:
    advantages, _ = gae(tensor([1, 2, 4]), tensor([9, -9, 5]), torch.ones(1, 3), gamma=0.5, lam=0.0)
    torch.testing.assert_close(advantages, tensor([1 + 0.5 * -9 - 9, 2 + 0.5 * 5 + 9, 4 - 5]))


def test_lambda_may_differ_by_completion() -> None:
    rewards, values, mask = tensor([1, 2, 4], [1, 2, 4]), tensor([9, -9, 5], [9, -9, 5]), torch.ones(2, 3)
    both, _ = gae(rewards, values, mask, 0.9, torch.tensor([0.3, 0.8]))
    for row, lam in ((0, 0.3), (1, 0.8)):
        alone, _ = gae(rewards, values, mask, 0.9, lam)
        torch.testing.assert_close(both[row], alone[row])


def test_lambda_grows_with_the_length() -> None:
    # 1 - 1 / (0.5 * 40) = 0.95, and 1 - 1 / (0.5 * 4) = 0.5, for which the lower bound counts; so for no tokens.
    mask = torch.stack([torch.ones(40), torch.cat([torch.ones(4), torch.zeros(36)]), torch.zeros(40)])
    torch.testing.assert_close(length_adaptive_lam(mask, 0.9, alpha=0.5), torch.tensor([0.95, 0.9, 0.9]))


def test_thirds_of_a_completion() -> None:
    # Of six tokens two each; of four the tokens at 0, 3/4, 3/2 and 9/4 thirds: two, one and one.
    x, mask = tensor([1, 1, 2, 2, 3, 3], [7, 7, 8, 9, 0, 0]), tensor([1] * 6, [1, 1, 1, 1, 0, 0])
    assert [third.item() for third in means_by_third(x, mask)] == [
        (1 + 1 + 7 + 7) / 4,
        (2 + 2 + 8) / 3,
        (3 + 3 + 9) / 3,
    ]


# Losses


def test_policy_loss_by_hand() -> None:
    # Ratios 1.5, 0.5, 1.5, 0.5 with advantages 1, 1, -1, -1 and epsilon 0.2. The lower of the two counts:
    # 1.5 or 1.2 (clipped), 0.5 or 0.8, -1.5 or -1.2, -0.5 or -0.8 (clipped).
    logps = torch.tensor([[1.5, 0.5, 1.5, 0.5, 9.0]]).log()
    advantages, mask = tensor([1, 1, -1, -1, 9]), tensor([1, 1, 1, 1, 0])
    loss, clip_fraction = policy_loss(logps, torch.zeros(1, 5), advantages, mask, epsilon=0.2)
    torch.testing.assert_close(loss, torch.tensor(-(1.2 + 0.5 - 1.5 - 0.8) / 4))
    assert clip_fraction.item() == 2 / 4


def test_policy_loss_can_clip_higher_than_lower() -> None:
    logps, advantages, mask = torch.tensor([[1.5, 0.5]]).log(), tensor([1, -1]), torch.ones(1, 2)
    loss, _ = policy_loss(logps, torch.zeros(1, 2), advantages, mask, epsilon=0.2, epsilon_high=0.3)
    torch.testing.assert_close(loss, torch.tensor(-(1.3 - 0.8) / 2))


@pytest.mark.parametrize(
    ("ratio", "advantage", "sign"),
    [(1.0, 1, -1), (1.0, -1, 1), (1.1, 1, -1), (1.5, 1, 0), (0.5, 1, -1), (0.5, -1, 0), (1.5, -1, 1)],
)
def test_policy_gradient(ratio: float, advantage: int, sign: int) -> None:
    """Descent makes good tokens likelier, bad ones less so, and stops where the clip says so."""
    logps = torch.tensor([[math.log(ratio)]], requires_grad=True)
    loss, _ = policy_loss(logps, torch.zeros(1, 1), tensor([advantage]), torch.ones(1, 1), epsilon=0.2)
    loss.backward()
    torch.testing.assert_close(logps.grad, torch.tensor([[sign * ratio]]))


def test_value_loss_by_hand() -> None:
    # Old value 0, clip 0.2. Value 1, return 2: max((1 - 2)^2, (0.2 - 2)^2) = 3.24, clipped.
    # Value 1, return 0: max(1, 0.04) = 1. Value 0.1, return 1: 0.81 either way.
    values, returns, mask = tensor([1, 1, 0.1, 99]), tensor([2, 0, 1, 0]), tensor([1, 1, 1, 0])
    loss, clip_fraction = value_loss(values, torch.zeros(1, 4), returns, mask, cliprange=0.2)
    torch.testing.assert_close(loss, torch.tensor(0.5 * (3.24 + 1 + 0.81) / 3))
    torch.testing.assert_close(clip_fraction, torch.tensor(1 / 3))


@pytest.mark.parametrize(("value", "target", "gradient"), [(0.1, 1, -0.9), (0.1, -1, 1.1), (1, 2, 0)])
def test_value_gradient(value: float, target: float, gradient: float) -> None:
    """Descent moves a value towards its return, unless it has moved further than the clip already."""
    values = tensor([value]).requires_grad_()
    loss, _ = value_loss(values, torch.zeros(1, 1), tensor([target]), torch.ones(1, 1), cliprange=0.2)
    loss.backward()
    torch.testing.assert_close(values.grad, tensor([gradient]))


def test_explained_variance_by_hand() -> None:
    returns, mask = tensor([1, 2, 3, 99]), tensor([1, 1, 1, 0])
    assert explained_variance(returns, returns, mask).item() == 1
    assert explained_variance(torch.full((1, 4), 2.0), returns, mask).item() == 0
    # Errors -1, 0, 1 halved: a quarter of the variance is left.
    share = explained_variance(tensor([1.5, 2, 2.5, 0]), returns, mask)
    torch.testing.assert_close(share, torch.tensor(0.75))


# TRL 1.12


Numbers = dict[str, torch.Tensor]


def ours_and_trl(name: str, extra_slot: bool = False) -> tuple[Numbers, Numbers]:
    """Our numbers and TRL's for a recorded case; `extra_slot` gives ours TRL's rewards and longer mask."""
    case: dict[str, Any] = GOLDEN["cases"][name]
    x = {key: torch.tensor(value) for key, value in case["inputs"].items()}
    theirs = {key: torch.tensor(value) for key, value in case["outputs"].items()}
    settings, lengths = case["settings"], torch.tensor(case["lengths"]).unsqueeze(1)
    positions = torch.arange(x["logprobs"].size(1))
    mask, longer = (positions < lengths).float(), (positions < lengths + 1).float()
    ours: Numbers = {}
    ours["rewards"], ours["kl"] = per_token_rewards(
        x["scores"], x["logprobs"], x["ref_logprobs"], mask, settings["kl_coef"], settings["kl_estimator"]
    )
    if settings["whiten_rewards"]:
        ours["rewards"] = masked_whiten(ours["rewards"], mask, shift_mean=False)
    rewards, value_mask = (theirs["rewards"], longer) if extra_slot else (ours["rewards"], mask)
    raw, ours["returns"] = gae(rewards, x["values"], value_mask, settings["gamma"], settings["lam"])
    ours["advantages"] = masked_whiten(raw, mask)
    ours["pg_loss"], ours["pg_clipfrac"] = policy_loss(
        x["new_logprobs"], x["logprobs"], ours["advantages"], mask, settings["cliprange"]
    )
    ours["vf_loss"], ours["vf_clipfrac"] = value_loss(
        x["vpred"], x["values"], ours["returns"], value_mask, settings["cliprange_value"]
    )
    return ours, theirs


@pytest.mark.parametrize("case", ["k1", "k3", "whitened", "undiscounted"])
def test_equals_trl_1_12(case: str) -> None:
    """Completions that fill their row: every reward, advantage and loss within 2e-6 of TRL's."""
    ours, theirs = ours_and_trl(case)
    assert set(ours) == set(theirs)
    for name, number in ours.items():
        message = f"{name}: ours {number}, TRL's {theirs[name]}"
        torch.testing.assert_close(number, theirs[name], atol=2e-6, rtol=2e-6, msg=message)


def test_trl_1_12_pays_the_score_one_slot_late_after_an_early_eos() -> None:
    """The one known difference: TRL puts the score behind the last token and trains the value there too.

    Given TRL's rewards and its mask, one slot longer, our advantages, returns and losses are TRL's again.
    """
    ours, theirs = ours_and_trl("early_eos")
    case = GOLDEN["cases"]["early_eos"]
    for row, (length, score) in enumerate(zip(case["lengths"], case["inputs"]["scores"], strict=True)):
        is_full = length == ours["rewards"].size(1)
        late = theirs["rewards"][row, length - 1 if is_full else length]
        penalty = -case["settings"]["kl_coef"] * ours["kl"][row, length - 1]
        torch.testing.assert_close(ours["rewards"][row, length - 1], score + penalty)
        torch.testing.assert_close(late, torch.tensor(score) + (penalty if is_full else 0))
    torch.testing.assert_close(ours["returns"][0], theirs["returns"][0], atol=2e-6, rtol=2e-6)
    assert (ours["returns"][1:] - theirs["returns"][1:]).abs().amax(1).min() > 1e-3

    on_their_mask, theirs = ours_and_trl("early_eos", extra_slot=True)
    for name in ("kl", "returns", "advantages", "pg_loss", "pg_clipfrac", "vf_loss", "vf_clipfrac"):
        torch.testing.assert_close(on_their_mask[name], theirs[name], atol=2e-6, rtol=2e-6)
