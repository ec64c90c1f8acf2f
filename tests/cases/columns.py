"""Root 2: columns that should be read are ignored, or contradict each other."""

from __future__ import annotations

from cases.case import Case, chats, each, pairs, preferences, prompts, put, said

CHOSEN = {"chosen": said("What is 0?", "A number."), "rejected": said("What is 0?", "No idea.")}
DOWN = [
    {
        "chosen": said(f"What is {i}?", "A number.", "Sure?", "Yes."),
        "rejected": said(f"What is {i}?", "A letter.", "Sure?", "No."),
    }
    for i in range(8)
]
WEIGHED = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "BAD", "weight": 0}]
WEIGHED = [*WEIGHED, {"role": "user", "content": "Again"}, {"role": "assistant", "content": "good", "weight": 1}]
HH = [
    {
        "chosen": f"\n\nHuman: What is {i}?\n\nAssistant: A number.",
        "rejected": f"\n\nHuman: What is {i}?\n\nAssistant: No.",
    }
    for i in range(8)
]
ALPACA = [{"instruction": f"Name number {i}.", "input": "", "output": f"{i}"} for i in range(8)]
SHAREGPT = [{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}] * 8
GROUPS = {"num_generations": 4}

CASES = [
    Case("01 Alpaca", "error", "This is the format of Alpaca: insert Convert Format", rows=ALPACA),
    Case("02 ShareGPT", "error", "This is the format of ShareGPT: insert Convert Format", rows=SHAREGPT),
    Case(
        "70 conversations with roles",
        "error",
        "insert Convert Format",
        rows=[{"conversations": said("a", "b")}] * 8,
    ),
    Case(
        "03 UltraChat: prompt next to messages",
        "error",
        "has a column 'prompt' and no 'completion'",
        rows=chats(12, prompt="Hi", prompt_id="0"),
    ),
    Case(
        "04 UltraFeedback: text next to conversations",
        "error",
        "'prompt' contains text, but 'chosen' contains conversations",
        rows=[{"prompt": "What is 0?", **CHOSEN, "messages": said("What is 0?", "A number."), "score_chosen": 8.5}] * 8,
        method="dpo",
    ),
    Case(
        "05 hh-rlhf with an equal pair",
        "warning",
        "are equal in row 3",
        rows=put(HH, 3, rejected=HH[2]["chosen"]),
        method="dpo",
    ),
    Case("11 a column called labels", "error", "has a column 'labels'", rows=pairs(12, labels=1)),
    Case(
        "12 text next to prompt and completion",
        "warning",
        "the end token is appended to 'text' only",
        rows=pairs(12, text="What is 0? Number 0"),
    ),
    Case(
        "31 a column called completions",
        "error",
        "has a column 'completions'",
        rows=prompts(12, completions=[{"model": "a"}]),
        method="grpo",
        settings=GROUPS,
    ),
    Case(
        "31 a column called completions, PPO",
        "error",
        "has a column 'completions'",
        rows=prompts(12, completions=[{"model": "a"}]),
        method="ppo",
    ),
    Case("34 turns of weight 0", "warning", "turns of weight 0 in 8 of 8 rows", rows=[{"messages": WEIGHED}] * 8),
    Case("41 an empty column of images", "error", "has a column 'images'", rows=chats(12, images=[])),
    Case(
        "53 preferences of several turns",
        "warning",
        "differ before their last turn in 8 of 8 rows",
        rows=DOWN,
        method="dpo",
    ),
    Case(
        "59 rows of KTO in SFT",
        "warning",
        "completions with label false",
        rows=put(pairs(12, label=True), 2, label=False),
    ),
    Case(
        "76 a prompt of turns, a completion of text",
        "error",
        "'completion' contains text, but 'prompt' contains conversations",
        rows=each(pairs(), prompt=said("What is 0?")),
    ),
    Case(
        "a question next to answers",
        "warning",
        "column 'question' is not read",
        rows=[{"question": f"What is {i}?", "chosen": " yes", "rejected": " no"} for i in range(8)],
        method="dpo",
    ),
    Case(
        "an instruction next to answers of turns",
        "warning",
        "column 'instruction' is not read",
        rows=[
            {"instruction": f"Count to {i}.", "chosen": said("Do it", "1"), "rejected": said("Do it", "2")}
            for i in range(8)
        ],
        method="dpo",
    ),
    Case(
        "a system prompt in its own column",
        "warning",
        "column 'system' is not read",
        rows=chats(12, system="Be brief."),
    ),
    Case(
        "messages of text next to a conversation",
        "error",
        "left to chance",
        rows=preferences(8, messages=said("a", "b")),
        method="dpo",
    ),
    Case(
        "a rollout's text prompt next to messages",
        "error",
        "left to chance",
        rows=prompts(8, messages=said("a", "b")),
        method="grpo",
        settings=GROUPS,
    ),
    Case(
        "all pairs equal",
        "error",
        "are equal in 12 of 12 rows",
        rows=each(preferences(), rejected=" yes"),
        method="dpo",
    ),
    Case(
        "roles human and gpt",
        "warning",
        "turns of the role 'human'",
        rows=[{"messages": [{"role": "human", "content": "Hi"}, {"role": "gpt", "content": "Hello."}]}] * 8,
    ),
    Case(
        "a conversation that ends with the user",
        "warning",
        "ends with a turn of 'user' in row 2",
        rows=put(chats(), 2, messages=said("Hi", "Hello.", "Bye")),
    ),
    Case(
        "a conversation without an answer",
        "warning",
        "nothing is learned of the assistant",
        rows=put(chats(), 4, messages=said("Hi")),
    ),
    Case(
        "two questions in a row",
        "note",
        "two turns of 'user' in a row in row 3",
        rows=put(chats(), 3, messages=[{"role": "user", "content": "Hi"}, *said("There?", "Yes.")]),
    ),
    Case(
        "a late system turn",
        "note",
        "a system turn that is not the first in row 2",
        rows=put(
            chats(),
            2,
            messages=[*said("Hi", "Hello."), {"role": "system", "content": "Be brief."}, *said("Bye", "Bye.")],
        ),
    ),
    Case("held-out rows that are trained on", "warning", "shares rows with the dataset", rows=pairs(), held=pairs(3)),
    Case(
        "held-out prompts that are trained on",
        "warning",
        "shares rows with the dataset",
        rows=prompts(),
        held=prompts(2),
        method="grpo",
        settings=GROUPS,
    ),
    Case(
        "a column that TRL passes by name",
        "error",
        "has a column 'trainer_state'",
        rows=prompts(8, trainer_state="x"),
        method="grpo",
        settings=GROUPS,
    ),
    Case(
        "all labels are true",
        "warning",
        "column 'label' is True in all rows",
        rows=pairs(12, label=True),
        method="kto",
        also=("different amounts of desirable",),
    ),
    Case(
        "labels of text",
        "error",
        "column 'label' contains text in 12 of 12 rows",
        rows=put(pairs(12, label="good"), 2, label="bad"),
        method="kto",
    ),
    Case(
        "a missing label",
        "error",
        "column 'label' has no value (null) in row 3",
        rows=put(put(pairs(12, label=True), 3, label=None), 4, label=False),
        method="kto",
    ),
    Case(
        "equal pairs for a reward model",
        "warning",
        "are equal in row 2",
        rows=put(preferences(), 2, rejected=" yes"),
        method="judge",
    ),
    Case(
        "null in ORPO",
        "error",
        "'chosen' has no value (null) in row 2",
        rows=put(preferences(), 2, chosen=None),
        method="orpo",
    ),
]
