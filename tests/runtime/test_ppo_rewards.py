"""Running statistics of scores, completions that did not end, and the adapted KL coefficient, by hand."""

import pytest
import torch

from ryven_llm_nodes.runtime.ppo_rewards import RunningScores, adapted_kl_coef, scores_of_truncated


def test_one_rollout_is_normalized_by_itself() -> None:
    running = RunningScores()
    running.update(torch.tensor([1.0, 3.0, 1.0, 3.0]))
    assert (running.mean, running.variance, running.count) == (2, 1, 4)
    torch.testing.assert_close(running.normalize(torch.tensor([1.0, 2.0, 5.0])), torch.tensor([-1.0, 0.0, 3.0]))


def test_rollouts_are_merged_and_earlier_ones_fade() -> None:
    # The first two scores count half: weights 0.5, 0.5, 1, 1 of 0, 2, 4, 6. Mean (1 + 4 + 6) / 3 = 11 / 3,
    # mean square (0.5 * 4 + 16 + 36) / 3 = 18.
    running = RunningScores(decay=0.5)
    running.update(torch.tensor([0.0, 2.0]))
    running.update(torch.tensor([4.0, 6.0]))
    assert running.count == 3
    assert running.mean == pytest.approx(11 / 3)
    assert running.variance == pytest.approx(18 - (11 / 3) ** 2)


@pytest.mark.parametrize("offset", [-1e4, -5.0, 0.0, 10.0])
@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_offset_and_scale_have_no_effect(offset: float, scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    plain, other = RunningScores(), RunningScores()
    for _ in range(5):
        scores = torch.rand(8, generator=generator).double()
        plain.update(scores)
        other.update(scale * scores + offset)
        torch.testing.assert_close(other.normalize(scale * scores + offset), plain.normalize(scores))


@pytest.mark.parametrize("score", [0.0, 0.1, -1e6])
def test_scores_that_are_all_equal_say_nothing(score: float) -> None:
    running = RunningScores()
    for _ in range(3):
        running.update(torch.full((7,), score))
    assert running.normalize(torch.full((2,), score)).tolist() == [0, 0]


def test_a_rollout_without_scores_changes_nothing() -> None:
    running = RunningScores()
    running.update(torch.tensor([1.0, 2.0]))
    before = running.state()
    running.update(torch.tensor([]))
    assert running.state() == before
    assert RunningScores(**before) == running


def test_what_a_completion_that_did_not_end_earns() -> None:
    scores, ended, values = torch.tensor([1.0, 1.0]), torch.tensor([True, False]), torch.tensor([9.0, 0.5])
    earned = {
        treatment: scores_of_truncated(scores, ended, values, treatment, penalty=2.0, gamma=0.9).tolist()
        for treatment in ("score", "penalty", "bootstrap")
    }
    assert earned["score"] == [1, 1]
    assert earned["penalty"] == [1, -1]
    assert earned["bootstrap"] == pytest.approx([1, 0.45])


def test_the_coefficient_follows_the_kl() -> None:
    # KL 6.6 for a target of 6 is a tenth too much; 100 of 1000 completions: 1 % more. Errors count 0.2 at most.
    assert adapted_kl_coef(0.1, 6.6, 6.0, 100, 1000) == pytest.approx(0.101)
    assert adapted_kl_coef(0.1, 60.0, 6.0, 100, 1000) == pytest.approx(0.102)
    assert adapted_kl_coef(0.1, 0.0, 6.0, 100, 1000) == pytest.approx(0.098)
