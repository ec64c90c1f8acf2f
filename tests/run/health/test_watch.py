"""The health of a run: told once per stage, recorded, and the same from its curves."""

from __future__ import annotations

from ryven_llm_nodes.run.events import Metrics, Progress
from ryven_llm_nodes.run.health.watch import Health, of_curves


def test_a_complaint_is_told_once_per_stage() -> None:
    health = Health(lambda step: f"GRPO {step!r}")
    told = [
        warned
        for done in range(1, 40)
        for step in ("a", "b")
        for event in (Progress(step, done, 40), Metrics(step, done, {"frac_reward_zero_std": 1.0, "loss": None}))
        for warned in health.take(event)
    ]
    assert [warned.step for warned in told] == ["a", "b"]
    assert told[0].text.startswith("GRPO 'a': step 20: in 100% of the groups")
    assert told[0].weight == "warning"


def test_curves_of_a_past_run_say_the_same() -> None:
    assert of_curves({"loss": [(1, 1.0)]}) == []
    (text,) = of_curves({"frac_reward_zero_std": [(step, 1.0) for step in range(20)]})
    assert text.startswith("in 100% of the groups")
