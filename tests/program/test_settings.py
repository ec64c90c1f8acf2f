"""--set NODE.PARAM=VALUE and --to NODE."""

from __future__ import annotations

from pathlib import Path

import pytest
from flows import alone, chain, graph

from ryven_llm_nodes.errors import FlowError, UsageError
from ryven_llm_nodes.program import apply_settings, build
from ryven_llm_nodes.program.settings import find_step


def test_values_are_put_in(data: Path) -> None:
    before = graph(alone("sft"), data)
    after = apply_settings(before, ["sft.learning_rate=1e-5", " base.path=a=b.c", "sft.packing=true"])
    assert after.by_name["sft"].given["learning_rate"] == 1e-5
    assert after.by_name["sft"].given["packing"] is True
    assert after.by_name["base"].given["path"] == "a=b.c"
    assert before.by_name["sft"].given["learning_rate"] == 1e-3  # the graph itself is as it was
    assert after.digest != before.digest


def test_the_last_one_wins(data: Path) -> None:
    after = apply_settings(graph(alone("sft"), data), ["sft.seed=1", "sft.seed=2"])
    assert after.by_name["sft"].given["seed"] == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sft", "--set sft: write NODE.PARAM=VALUE, such as sft.learning_rate=1e-5."),
        ("sft=1", "write NODE.PARAM=VALUE"),
        ("s\nft", "--set s ft: write"),
        ("", "write NODE.PARAM=VALUE"),
        ("sfd.seed=1", "there is no node 'sfd'. Did you mean 'sft'? Nodes: base, rows, sft, final."),
        (".seed=1", "there is no node ''"),
    ],
)
def test_what_makes_no_sense(setting: str, message: str, data: Path) -> None:
    with pytest.raises(UsageError) as caught:
        apply_settings(graph(alone("sft"), data), [setting])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sft.seeds=1", "SFT 'sft' > seeds: SFTConfig has no such field. Did you mean 'seed'?"),
        ("sft.seed=one", "SFT 'sft' > seed: must be a whole number, got 'one'."),
        ("sft.beta.x=1", "SFT 'sft' > beta.x: SFTConfig has no such field."),
    ],
)
def test_values_are_checked_with_the_flow(setting: str, message: str, data: Path) -> None:
    with pytest.raises(FlowError) as caught:
        build(apply_settings(graph(alone("sft"), data), [setting]))
    assert str(caught.value).startswith(message)


def test_find_step(data: Path) -> None:
    assert find_step(graph(chain(), data), "ppo").name == "ppo"


def test_an_empty_value_is_null_where_that_can_be(data: Path) -> None:
    """As an empty field of a form; the help of GRPO's threshold says so."""
    changed = apply_settings(graph(alone("grpo"), data), ["grpo.reward_threshold="])
    assert changed.by_name["grpo"].given["reward_threshold"] is None
    assert apply_settings(changed, ["grpo.run_name="]).by_name["grpo"].given["run_name"] is None
