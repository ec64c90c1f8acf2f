"""What becomes of the text of a sweep when nodes get other names."""

from __future__ import annotations

from ryven_llm_nodes.program.sweeping.renaming import with_names


def test_only_the_names_of_nodes_change() -> None:
    text = "dpo.beta=0.1,0.3\n  dpo_2.beta=dpo.1,2\nsft.path=dpo.jsonl\n"
    assert with_names(text, {"dpo": "align", "dpo_2": "dpo", "sft": "sft"}) == (
        "align.beta=0.1,0.3\n  dpo.beta=dpo.1,2\nsft.path=dpo.jsonl\n"
    )
    assert with_names("preference_accuracy", {"preference_accuracy": "x"}) == "preference_accuracy"
