"""The value head's calibration, against numbers worked by hand, and the head inside a policy."""

from collections.abc import Callable

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from ryven_llm_nodes.runtime.ppo_critic import ValueHead, calibration


def of_one(x: torch.Tensor) -> torch.Tensor:
    """The sum over one process."""
    return x


def test_calibration_by_hand() -> None:
    # Residuals 1, 3 | 5 | 7, 9, 11, the rest is padding: their mean is 36 / 6. Without the first completion it is
    # (5 + 27) / 4, without the second (4 + 27) / 5, without the third (4 + 5) / 3.
    residuals = torch.tensor([[1.0, 3, 99], [5, 99, 99], [7, 9, 11]])
    mask = torch.tensor([[1.0, 1, 0], [1, 0, 0], [1, 1, 1]])
    bias, without = calibration(residuals, mask, of_one)
    assert bias.item() == 6
    torch.testing.assert_close(without, torch.tensor([32 / 4, 31 / 5, 9 / 3]))


def test_processes_calibrate_together() -> None:
    residuals, mask = torch.tensor([[1.0, 3], [5, 7]]), torch.ones(2, 2)
    whole = calibration(residuals, mask, of_one)
    # The second process adds 12 to the sum 4, and 2 tokens to the 2 of the first.
    halves = calibration(residuals[:1], mask[:1], lambda x: x + (12.0 if x.item() == 4 else 2.0))
    assert halves[0] == whole[0]
    assert halves[1][0] == whole[1][0]


def test_nothing_to_calibrate_by() -> None:
    """No completion was scored, or a single one."""
    for mask, mean in ((torch.zeros(2, 2), 0), (torch.tensor([[1.0, 1], [0, 0]]), 3)):
        bias, without = calibration(torch.full((2, 2), 3.0), mask, of_one)
        assert bias.item() == mean
        assert without[0].item() == 0


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
    with torch.no_grad():
        output = policy(**inputs)
        hidden = (trunk or policy.base_model)(ids).last_hidden_state
    torch.testing.assert_close(output["values"], 0.1 * hidden.sum(-1))
