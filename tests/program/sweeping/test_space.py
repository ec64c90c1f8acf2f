"""What a sweep varies, as it is written on the command line."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.sweeping.space import Choices, Range, Space, space_of


def space(data: Path, *settings: str) -> Space:
    return space_of(flows.graph(flows.alone("dpo"), data), settings)


def test_lists_and_ranges(data: Path) -> None:
    found = space(data, "dpo.beta=0.05,0.1, 0.3", "dpo.learning_rate=1e-6..1e-4:log", "dpo.max_steps=2..8")
    assert found.axes == {
        "dpo.beta": Choices((0.05, 0.1, 0.3)),
        "dpo.learning_rate": Range(1e-6, 1e-4, True),
        "dpo.max_steps": Range(2, 8),
    }
    assert isinstance(found.axes["dpo.max_steps"].low, int)
    assert found.size is None


def test_one_value_is_set_in_all_trials(data: Path) -> None:
    found = space(data, "dpo.beta=0.1,0.2", "dpo.bf16=true,false", "dpo.max_steps=3")
    assert list(found.axes) == ["dpo.beta", "dpo.bf16"]
    assert found.graph.by_name["dpo"].given["max_steps"] == 3
    assert found.size == 4
    made = found.with_values({"dpo.beta": 0.2, "dpo.bf16": False})
    assert made.by_name["dpo"].given["beta"] == 0.2
    assert made.by_name["dpo"].given["bf16"] is False


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("dpo.beta", "write NODE.PARAM=VALUES, such as dpo.beta=0.05,0.1,0.3"),
        ("dqo.beta=0.1,0.2", "there is no node 'dqo'. Did you mean 'dpo'?"),
        ("dpo.betta=0.1,0.2", "DPO 'dpo' has no parameter 'betta'. Did you mean 'beta'?"),
        ("dpo.beta=0.1,much", "dpo.beta: must be a number, got 'much'"),
        ("dpo.beta=0.1,0.1", "a value is given twice in '0.1,0.1'"),
        ("dpo.beta=-1..1", "dpo.beta: must be"),
        ("dpo.beta=0.3..0.1", "must go from a smaller to a larger number"),
        ("dpo.label_smoothing=0..0.1:log", "a logarithmic range must start above 0"),
        ("dpo.beta=0.1..0.3:lin", "only :log can stand, got ':lin'"),
        ("dpo.max_steps=1.5..8", "must be a whole number, got 1.5"),
        ("dpo.loss_type=1..2", "dpo.loss_type: "),
        ("dpo.beta=0.1", "nothing to vary"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(data: Path, setting: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        space(data, setting)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_parameter_is_given_once(data: Path) -> None:
    with pytest.raises(UsageError, match="is given twice"):
        space(data, "dpo.beta=0.1,0.2", "dpo.beta=0.3,0.4")


def test_values_of_a_range_have_few_digits_and_stay_inside() -> None:
    assert Range(0.0, 1.0).rounded(0.123456) == 0.1235
    assert Range(0.0, 0.33333333).rounded(0.33333333) == 0.3333
    assert Range(0.33333333, 1.0).rounded(0.33333333) == 0.33333333
    assert Range(1, 9).rounded(3) == 3
