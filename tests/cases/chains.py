"""Root 9: in a chain, the second stage's data were looked at after the first had trained."""

from __future__ import annotations

from cases.case import Case, chats, each, preferences, prompts, put, said

BOTH = {"chosen": said("a", "b"), "rejected": said("a", "c")}

CASES = [
    Case(
        "73 text next to conversations in the second stage",
        "error",
        "DPO 'second' > dataset: column 'prompt' contains text",
        rows=chats(),
        then=("dpo", [{"prompt": "a", **BOTH}] * 8),
    ),
    Case(
        "73 null in the second stage",
        "error",
        "DPO 'second' > dataset: column 'rejected' has no value (null) in row 6",
        rows=chats(),
        then=("dpo", put(preferences(), 6, rejected=None)),
    ),
    Case(
        "numbers in the second stage",
        "error",
        "SFT 'second' > dataset: column 'completion' contains numbers",
        rows=chats(),
        then=("sft", [{"prompt": "a", "completion": 1}] * 8),
    ),
    Case(
        "equal pairs in the second stage",
        "warning",
        "DPO 'second' > dataset: 'chosen' and 'rejected' are equal",
        rows=chats(),
        then=("dpo", put(preferences(), 2, rejected=" yes")),
    ),
    Case(
        "the end of turns in both stages",
        "warning",
        "SFT 'sft' > eos_token: turns end with",
        rows=chats(),
        model="other-end",
        then=(
            "dpo",
            each(
                preferences(),
                prompt=said("a"),
                chosen=[{"role": "assistant", "content": "b"}],
                rejected=[{"role": "assistant", "content": "c"}],
            ),
        ),
        also=("DPO 'second' > model: turns end with",),
    ),
    Case(
        "a question as prompts of the first stage",
        "error",
        "has no value (null) in row 2",
        rows=put(prompts(), 2, prompt=None),
        method="ppo",
        then=("dpo", preferences()),
    ),
]
