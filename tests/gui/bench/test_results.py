"""The facts of what rewards gave, in the order in which they are read."""

from __future__ import annotations

from typing import Any

from ryven_llm_nodes.gui.bench.results import facts


def test_warnings_come_before_facts_that_would_push_them_out_of_sight() -> None:
    reward: dict[str, Any] = {"reward": "score", "weight": 1.0, "spread": [0.0], "seconds": 0.25, "printed": ""}
    reward |= {"least": 0.5, "mean": 0.5, "most": 0.5, "equal": 1.0, "failures": {}}
    found = {"source": "Load Model", "completions": [{}], "rewards": [reward], "warnings": ["all are equal"]}
    text = facts(found)
    assert text.index("all are equal") < text.index("1 completions from") < text.index("min 0.5")
