"""What a stage shows on the canvas."""

from __future__ import annotations

from typing import Any

from ryven_llm_nodes.catalogue import ALL_NODES, GRPO, PPO, SFT
from ryven_llm_nodes.gui.canvas.trainer_widget import main_curve
from ryven_llm_nodes.gui.state.edits import set_value
from ryven_llm_nodes.gui.state.stage_run import StageRun


def test_the_main_curve_is_the_first_for_which_there_is_something() -> None:
    stage = StageRun("align", metrics={"loss": [(1, 2.0)], "kl": []})
    assert main_curve(("kl", "loss"), stage) == ("loss", [(1, 2.0)])
    assert main_curve(("kl", "reward"), stage) == ("kl", [])
    assert main_curve(("reward", "loss"), None) == ("reward", [])


def test_every_method_says_what_tells_how_it_goes() -> None:
    assert all(node.curves for node in ALL_NODES if hasattr(node, "config"))
    assert (SFT.curves[0], PPO.curves[:2]) == ("loss", ("reward", "loss"))


def test_grpo_says_whether_a_threshold_shapes_its_rewards() -> None:
    assert GRPO.remark({}) == "threshold 0.7"
    assert GRPO.remark({"reward_threshold": 0.25}) == "threshold 0.25"
    assert GRPO.remark({"reward_threshold": None}) == ""
    assert SFT.remark({}) == ""


def test_the_remark_is_painted_on_the_node(editor: Any) -> None:
    grpo = editor.place(GRPO)
    editor.settle(300)
    widget = grpo.gui.item.main_widget
    with_threshold = widget.grab().toImage()
    set_value(grpo, "reward_threshold", None)
    editor.settle(300)
    assert widget.grab().toImage() != with_threshold


def test_the_raw_reward_is_the_curve_of_the_node() -> None:
    stage = StageRun("grpo", metrics={"reward": [(1, -0.5)], "raw_reward": [(1, 0.2)]})
    assert main_curve(GRPO.curves, stage) == ("raw_reward", [(1, 0.2)])
