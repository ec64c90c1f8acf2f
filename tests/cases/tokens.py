"""Root 3: nothing was rendered or tokenized before training."""

from __future__ import annotations

from cases.case import Case, chats, each, pairs, prompts, put, said

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
        "parts in some rows",
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
]
