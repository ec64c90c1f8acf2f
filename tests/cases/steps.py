"""Root 4: nobody asked whether one step can happen, and whether it can teach."""

from __future__ import annotations

from cases.case import Case, pairs, preferences, prompts

GROUPS = {"num_generations": 4}
EPOCHS = {"max_steps": "default"}
ONE = "def score(completions, **kwargs):\n    return [1.0] * len(completions)\n"
NONE = "def score(completions, **kwargs):\n    return [0.0 for _ in completions]\n"
FAILS = (
    "def score(completions, answer, **kwargs):\n"
    "    return [float(a.strip() in c) for c, a in zip(completions, answer)]\n"
)

CASES = [
    Case(
        "46 a warmup longer than training",
        "warning",
        "500 warmup steps, but only 15 steps in total",
        rows=pairs(40),
        settings={**EPOCHS, "warmup_steps": "default", "per_device_train_batch_size": "default"},
    ),
    Case(
        "a warmup of half the length, once",
        "warning",
        "the learning rate reaches",
        rows=preferences(8),
        method="dpo",
        settings={**EPOCHS, "warmup_steps": 20},
    ),
    Case(
        "fewer prompts than a rollout takes",
        "error",
        "no optimizer step would be made",
        rows=prompts(1),
        method="grpo",
        settings={**EPOCHS, "per_device_train_batch_size": 8, "num_generations": 2},
    ),
    Case(
        "too few rows for a full batch",
        "error",
        "only full batches of 16 rows are used",
        rows=pairs(5),
        settings={**EPOCHS, "per_device_train_batch_size": 16, "dataloader_drop_last": True},
    ),
    Case(
        "checkpoints beyond the end",
        "note",
        "it is never reached",
        rows=pairs(),
        settings={"save_strategy": "steps", "save_steps": 50},
    ),
    Case(
        "evaluation beyond the end",
        "warning",
        "it is never reached",
        rows=pairs(),
        held=[{"prompt": "Who?", "completion": " Me"}],
        settings={"eval_strategy": "steps", "eval_steps": 50},
    ),
    Case("logs beyond the end", "note", "it is never reached", rows=pairs(), settings={"logging_steps": 50}),
    Case(
        "a reward that is always 1",
        "warning",
        "gave 1.0 to all",
        rows=prompts(),
        method="grpo",
        settings=GROUPS,
        reward=ONE,
    ),
    Case(
        "a reward that is always 0",
        "warning",
        "gave 0.0 to all",
        rows=prompts(12, answer="4"),
        method="grpo",
        settings=GROUPS,
        reward=NONE,
    ),
    Case(
        "61 a reward that fails in row 9",
        "error",
        "row 9",
        rows=[{"prompt": f"{i}:", "answer": None if i == 8 else "4"} for i in range(12)],
        method="grpo",
        settings=GROUPS,
        reward=FAILS,
        also=("no value (null) in row 9",),
    ),
]
