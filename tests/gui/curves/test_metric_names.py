"""Which metric is shown in which plot."""

from __future__ import annotations

from ryven_llm_nodes.gui.curves.metric_names import SHAPED, first_plots, metric_for, plots

PLAIN = ("loss", "reward", "kl")
SHAPED_TOO = ("loss", "reward", "raw_reward", "raw_reward/variety", "kl")


def test_the_raw_reward_comes_first_and_the_shaped_one_is_labelled() -> None:
    assert metric_for("reward", SHAPED_TOO) == "raw_reward"
    assert metric_for(SHAPED, SHAPED_TOO) == "reward"
    assert first_plots(SHAPED_TOO) == ["loss", "reward", "shaped reward", "KL"]
    assert plots(SHAPED_TOO)[4:] == ["raw_reward/variety"]


def test_without_a_threshold_there_is_one_reward() -> None:
    assert metric_for("reward", PLAIN) == "reward"
    assert metric_for(SHAPED, PLAIN) is None
    assert plots(PLAIN) == ["loss", "reward", "KL"]
