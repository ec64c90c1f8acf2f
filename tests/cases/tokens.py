"""Root 3: nothing was rendered or tokenized before training."""

from __future__ import annotations

from cases.case import Case, chats, each, pairs, preferences, prompts, put, said

LONG = "river " * 40
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "C"}}}
CALLED = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
CALLED = [*CALLED, {"role": "tool", "content": "fair"}, {"role": "assistant", "content": "Fair."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
TEXTS = [{"text": f"<bos>[INST] What is {i}? [/INST] A number, {i}.<eos>"} for i in range(12)]
GROUPS = {"num_generations": 4}
REASONED = [
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "4", "reasoning_content": "Two and two."},
]

CASES = [
    Case(
        "13 the system role is refused",
        "error",
        "refuses 1 of 12 rows, first row 7 (system, user, assistant): System role not supported",
        rows=put(chats(), 7, messages=said("Hi", "Hello.", system="Be brief.")),
        model="strict",
    ),
    Case(
        "15 the end token is not the end of a turn",
        "warning",
        "turns end with '<|im_end|>', but generation stops at '<|endoftext|>'",
        rows=chats(),
        model="other-end",
    ),
    Case(
        "15 the same for a rollout",
        "warning",
        "completions would run to max_completion_length",
        rows=each(prompts(), prompt=said("Hi")),
        model="other-end",
        method="grpo",
        settings=GROUPS,
    ),
    Case("23 the beginning twice", "warning", "12 of 12 rows begin with '<bos>'", rows=TEXTS, model="begins"),
    Case(
        "25 no prompt is short enough",
        "error",
        "no row is left",
        rows=each(pairs(), prompt=LONG),
        settings={"max_length": 32},
    ),
    Case(
        "27 a scorer without a template",
        "error",
        "has no chat template",
        rows=each(prompts(), prompt=said("Hi")),
        method="ppo",
        scorer="plain-scorer",
    ),
    Case(
        "32 prompts that end with an answer",
        "warning",
        "ends with a turn of 'assistant' in 12 of 12 rows",
        rows=each(prompts(), prompt=said("Hi", "Hello.")),
        method="grpo",
        settings=GROUPS,
    ),
    Case("33 calls without content", "warning", "does not write 'tool_calls'", rows=[{"messages": CALLED}] * 8),
    Case(
        "51 a loss on the assistant without marks",
        "error",
        "marks the assistant's turns",
        rows=chats(),
        settings={"assistant_only_loss": True},
    ),
    Case(
        "71 a template that drops tools",
        "warning",
        "does not write 'tool_calls'",
        rows=[{"messages": CALLED, "tools": [TOOL]}] * 8,
        also=("does not write 'tools'",),
    ),
    Case(
        "69 nothing of the assistant in one row",
        "error",
        "has no turn of the assistant in row 3",
        rows=put(chats(), 3, messages=said("Hi")),
        model="marked",
        settings={"assistant_only_loss": True},
        also=("ends with a turn of 'user'",),
    ),
    Case(
        "no order but user and assistant",
        "error",
        "roles must alternate",
        rows=put(chats(), 4, messages=[*said("Hi"), *said("There?", "Yes.")]),
        model="strict",
        also=("two turns of 'user'",),
    ),
    Case(
        "a template without an end",
        "warning",
        "no special token: the model is not trained to stop",
        rows=chats(),
        model="endless",
    ),
    Case(
        "the end of a turn outside of the marks",
        "warning",
        "does not mark the token that ends a turn",
        rows=chats(),
        model="stopless",
        settings={"assistant_only_loss": True},
    ),
    Case(
        "reasoning that is not written",
        "warning",
        "does not write the reasoning of row 1",
        rows=[{"messages": REASONED}] * 8,
    ),
    Case(
        "a prompt that is written in another way",
        "warning",
        "in another way when the completion follows",
        rows=[{"prompt": said("Hi"), "completion": [{"role": "assistant", "content": "Hello."}]}] * 8,
        model="thinking",
    ),
    Case("conversations on a base model", "error", "has no chat template", rows=chats(), model="plain"),
    Case(
        "40 parts in some rows",
        "error",
        "is a list of parts",
        rows=put(
            [
                {
                    "messages": [
                        {"role": "user", "content": [{"type": "text", "text": "a"}]},
                        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
                    ]
                }
            ]
            * 8,
            3,
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "c"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "d"}]},
            ],
        ),
    ),
    Case(
        "prompts that begin with the beginning",
        "warning",
        "12 of 12 rows begin with '<bos>'",
        rows=each(prompts(), prompt="<bos>What is it?"),
        model="begins",
        method="grpo",
        settings=GROUPS,
    ),
    Case(
        "24 prompts that fill max_length",
        "warning",
        "10 of 12 rows of its dataset (first row 3) are dropped",
        rows=[*pairs(2), *each(pairs(10), prompt=LONG)],
        settings={"max_length": 32},
    ),
    Case(
        "rows that are cut",
        "warning",
        "12 of 12 rows of its dataset (first row 1) are longer",
        rows=each(pairs(), completion=" " + LONG),
        settings={"max_length": 32},
    ),
    Case(
        "one long row of many",
        "note",
        "1 of 20 rows of its dataset (first row 7) are longer",
        rows=put(pairs(20), 7, completion=" " + LONG),
        settings={"max_length": 32},
    ),
    Case(
        "pairs that are equal once cut",
        "warning",
        "of 2 of 12 rows (first row 3) are equal once they are cut",
        rows=put(
            put(preferences(), 3, chosen=LONG + "a", rejected=LONG + "b"), 5, chosen=LONG + "a", rejected=LONG + "b"
        ),
        method="dpo",
        settings={"max_length": 64},
        also=("are longer",),
    ),
    Case(
        "held-out rows that are dropped",
        "error",
        "1 of 1 rows of its eval dataset",
        rows=pairs(),
        held=[{"prompt": LONG, "completion": " a"}],
        settings={"max_length": 32},
    ),
    Case(
        "tokenized rows without an end",
        "warning",
        "no row trains the end token '<eos>'",
        rows=[{"input_ids": [20, 21, 22], "labels": [-100, 21, 22]}] * 8,
        model="plain",
    ),
    Case(
        "tokenized rows with nothing to learn",
        "warning",
        "no token is trained in 1 of 8 rows, first in row 2",
        rows=put([{"input_ids": [20, 1], "labels": [20, 1]}] * 8, 2, labels=[-100, -100]),
        model="plain",
        settings={"max_length": None},
    ),
    Case(
        "42 a prompt that ends in a space",
        "warning",
        "span the end of the prompt and the beginning of the completion",
        rows=[{"prompt": "Question: What is 0? Answer: ", "completion": "quick"}] * 8,
        model="plain",
    ),
]
