"""What a stage shows on the canvas."""

from __future__ import annotations

from ryven_llm_nodes.catalogue import ALL_NODES, PPO, SFT
from ryven_llm_nodes.gui.canvas.trainer_widget import main_curve
from ryven_llm_nodes.gui.state.run_model import StageRun


def test_the_main_curve_is_the_first_for_which_there_is_something() -> None:
    stage = StageRun("align", metrics={"loss": [(1, 2.0)], "kl": []})
    assert main_curve(("kl", "loss"), stage) == ("loss", [(1, 2.0)])
    assert main_curve(("kl", "reward"), stage) == ("kl", [])
    assert main_curve(("reward", "loss"), None) == ("reward", [])


def test_every_method_says_what_tells_how_it_goes() -> None:
    assert all(node.curves for node in ALL_NODES if hasattr(node, "config"))
    assert (SFT.curves[0], PPO.curves[:2]) == ("loss", ("reward", "loss"))
