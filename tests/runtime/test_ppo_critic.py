"""The value head's calibration, against numbers worked by hand, and the head inside a policy."""

from collections.abc import Callable

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from ryven_llm_nodes.runtime.ppo_critic import FOLDS, ValueHead, fit, fold_products, ridge_step, squared_error

Rows = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def rows(completions: int, tokens: int, size: int, noise: float) -> Rows:
    """Features, residuals that are 2 x_0 - x_1 + 3 and noise, a mask that hides the last token, and folds."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(completions, tokens, size, generator=generator)
    residuals = 2 * features[..., 0] - features[..., 1] + 3
    residuals += noise * torch.randn(completions, tokens, generator=generator)
    mask = torch.ones(completions, tokens)
    mask[:, -1] = 0
    return features, residuals, mask, torch.arange(completions) % FOLDS


def test_products_by_hand() -> None:
    # z = (feature, 1, residual): (2, 1, 3) and (4, 1, 5) in fold 0, (1, 1, 1) in fold 2; a masked token counts nothing.
    features, residuals = torch.tensor([[[2.0], [4.0]], [[1.0], [9.0]]]), torch.tensor([[3.0, 5.0], [1.0, 9.0]])
    found = fold_products(features, residuals, torch.tensor([[1.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 2]))
    first = torch.tensor([[4.0 + 16, 2 + 4, 6 + 20], [2 + 4, 2, 3 + 5], [6 + 20, 3 + 5, 9 + 25]])
    torch.testing.assert_close(found[0].float(), first)
    assert found[2].tolist() == [[1.0] * 3] * 3
    assert found[1].abs().sum() == found[3].abs().sum() == 0


def test_a_ridge_step_by_hand() -> None:
    # Features 1, 3 and residuals 4, 8: covariance of x is 1, of x and r 2. A penalty as large as the variance halves
    # the slope of 2; the bias then carries the means: 6 - 2 * slope.
    features, residuals = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[4.0, 8.0]])
    products = fold_products(features, residuals, torch.ones(1, 2), torch.zeros(1))[0]
    for ridge, slope in ((0.0, 2.0), (1.0, 1.0)):
        step = ridge_step(products, ridge)
        torch.testing.assert_close(step.float(), torch.tensor([slope, 6 - 2 * slope]))
    # With slope 1 and bias 4 the predictions are 5 and 7, each 1 beside the residual.
    assert squared_error(products, step).item() == pytest.approx(2)


def test_what_can_be_predicted_is_found() -> None:
    step, by_fold = fit(fold_products(*rows(32, 9, 4, noise=0.0)))
    torch.testing.assert_close(step.float(), torch.tensor([2.0, -1.0, 0.0, 0.0, 3.0]), atol=0.4, rtol=0)
    assert by_fold.shape == (FOLDS, 5)


def test_noise_is_not_learned_but_its_mean_is() -> None:
    """With more features than completions a fit can explain everything, and predicts nothing."""
    features, _, mask, folds = rows(12, 5, 40, noise=0.0)
    of_completions = 7 + torch.randn(12, 1, generator=torch.Generator().manual_seed(1)).expand(12, 5)
    step, _ = fit(fold_products(features, of_completions, mask, folds))
    assert step[:-1].norm() < 0.05
    torch.testing.assert_close(step[-1].float(), of_completions.mean(), atol=0.05, rtol=0)


def test_a_head_that_is_right_stays() -> None:
    features, residuals, mask, folds = rows(32, 9, 4, noise=1.0)
    step, by_fold = fit(fold_products(features, torch.zeros_like(residuals), mask, folds))
    assert step.abs().sum() == by_fold.abs().sum() == 0


def test_a_fold_is_judged_by_the_others() -> None:
    """One completion that stands out changes the values of the others, not its own."""
    features, mask, folds = torch.zeros(8, 3, 2), torch.ones(8, 3), torch.arange(8) % FOLDS
    residuals = torch.full((8, 3), 10.0)
    residuals[1] = 14.0
    _, by_fold = fit(fold_products(features, residuals, mask, folds))
    biases = by_fold[:, -1]
    assert biases[1].item() == pytest.approx(10)
    assert all(bias > 10.5 for bias in biases[[0, 2, 3]])


def test_nothing_to_fit() -> None:
    products = fold_products(*(part.zero_() for part in rows(4, 3, 2, noise=0.0)[:3]), torch.arange(4))
    step, by_fold = fit(products)
    assert step.abs().sum() == by_fold.abs().sum() == 0


def test_a_step_moves_weight_and_bias(make_model: Callable) -> None:
    head = ValueHead(make_model())
    size = head.weight.size(1)
    head.move(torch.arange(size + 1, dtype=torch.float64))
    assert head.weight[0].tolist() == [float(i) for i in range(size)]
    assert head.bias.item() == size


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own trunk"])
def test_the_head_is_in_no_state_dict_and_can_be_off(make_model: Callable, own: bool) -> None:
    policy = make_model()
    plain = policy.state_dict().keys()
    trunk = make_model(seed=3).base_model if own else None
    add_fused_lm_head(policy, outputs=("log_probs", "entropy"))
    policy.value_head = ValueHead(policy, trunk)
    assert policy.state_dict().keys() == plain
    policy.load_state_dict(policy.state_dict())
    ids = torch.tensor([[3, 4, 5, 6]])
    inputs = {"input_ids": ids, "labels": ids, "fused_lm_head": True}
    policy.value_head.weight.data.fill_(0.1)
    with policy.value_head.off():
        assert "values" not in policy(**inputs)
    assert "features" not in policy(**inputs)
    with torch.no_grad():
        output = policy(**inputs)
        hidden = (trunk or policy.base_model)(ids).last_hidden_state
    torch.testing.assert_close(output["features"], hidden)
    torch.testing.assert_close(output["values"], 0.1 * hidden[:, :-1].sum(-1))
