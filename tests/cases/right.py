"""Right inputs: any finding would be a false alarm."""

from __future__ import annotations

import gzip
import json

from cases.case import Case, chats, each, lines, pairs, preferences, prompts, put, said
from datasets import Dataset

GROUPS = {"num_generations": 4}
ANSWER = [{"role": "assistant", "content": "yes"}]
OTHER = [{"role": "assistant", "content": "no no"}]
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "C"}}}
CALLED = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
CALLED = [*CALLED, {"role": "tool", "content": "fair"}, {"role": "assistant", "content": "Fair."}]
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": {"type": "object"}}}
PART = [
    {"role": "user", "content": [{"type": "text", "text": "a"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
]
REASONED = [
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "4", "reasoning_content": "Two."},
]
HH = [
    {
        "chosen": f"\n\nHuman: What is {i}?\n\nAssistant: A number.",
        "rejected": f"\n\nHuman: What is {i}?\n\nAssistant: No.",
    }
    for i in range(8)
]
EXACT = "def score(completions, answer, **kwargs):\n    return [float(c == a) for c, a in zip(completions, answer)]\n"
LENGTH = "def score(completions, **kwargs):\n    return [min(len(str(c)), 50) / 50 for c in completions]\n"
CSV = "prompt,completion\n" + "".join(f"What is {i}?,Number {i} is it\n" for i in range(9))
TURNS = {
    "chosen": said("Hi", "Hello.", "What is 0?", "A number."),
    "rejected": said("Hi", "Hello.", "What is 0?", "No idea."),
}
TOKENS = [{"input_ids": [20, 21, 22, 1], "labels": [-100, 21, 22, 1]}] * 8

WORDS = "prompt,completion\n" + "".join(f"Case {i}:, {('low', 'None', 'NA', 'high')[i % 4]}\n" for i in range(8))
SUMS = "prompt,completion\n" + "".join(f"{i} plus {i}:, {2 * i}\n" for i in range(12))
DATES = lines([{"prompt": f"Date {i}:", "completion": f" 2024-03-{i + 1:02}"} for i in range(9)])
LETTERS = "prompt,completion\n" + "".join(f"What is {i}?, Gr\u00f6\u00dfe {i}\n" for i in range(9))
PARTS = {"part-1.jsonl": lines(pairs()), "part-2.jsonl": lines(pairs(3, source="b"))}

CASES = [
    Case("prompt and completion", rows=pairs()),
    Case("conversations", rows=chats()),
    Case("plain text", rows=[{"text": f"Some text, {i}."} for i in range(8)]),
    Case("a conversation with a system turn", rows=[{"messages": said("Hi", "Hello.", system="Be brief.")}] * 8),
    Case("conversations of several turns", rows=[{"messages": said("Hi", "Hello.", "Bye", "Bye.")}] * 8),
    Case("prompt and completion of turns", rows=[{"prompt": said("Hi"), "completion": ANSWER}] * 8),
    Case("14 a base model without pad and template", rows=pairs(), model="base"),
    Case("19 weights in a file of torch", rows=pairs(), model="old-weights"),
    Case("21 settings of sampling without sampling", rows=pairs(), model="greedy"),
    Case("45 float16 weights", rows=pairs(), model="half"),
    Case("further columns", rows=pairs(12, source="quiz", score=0.5, tags=["a"], date="today")),
    Case("05 hh-rlhf", rows=HH, method="dpo"),
    Case("preferences", rows=preferences(), method="dpo"),
    Case("preferences of turns", rows=[{"prompt": said("Hi"), "chosen": ANSWER, "rejected": OTHER}] * 8, method="dpo"),
    Case(
        "preferences of turns without a prompt",
        rows=[{"chosen": said("Hi", "yes"), "rejected": said("Hi", "no")}] * 8,
        method="dpo",
    ),
    Case("preferences that differ in the last turn", rows=[TURNS] * 8, method="dpo"),
    Case(
        "a question that the answers contain",
        rows=[{"question": "Hi", "chosen": said("Hi", "yes"), "rejected": said("Hi", "no")}] * 8,
        method="dpo",
    ),
    Case("prompts", rows=prompts(), method="grpo", settings=GROUPS),
    Case("prompts of turns", rows=each(prompts(), prompt=said("Hi")), method="grpo", settings=GROUPS),
    Case("prompts of turns, PPO", rows=each(prompts(), prompt=said("Hi", "Hello.", "Bye")), method="ppo"),
    Case("an exact match", rows=prompts(12, answer="4"), method="grpo", settings=GROUPS, reward=EXACT),
    Case("a reward of length", rows=prompts(), method="ppo", reward=LENGTH),
    Case("tools with a template that knows them", rows=[{"messages": CALLED, "tools": [TOOL]}] * 8, model="tools"),
    Case("parts with a template that knows them", rows=[{"messages": PART}] * 8, model="parts"),
    Case("reasoning with a template that knows it", rows=[{"messages": REASONED}] * 8, model="thinks"),
    Case("marks of the assistant", rows=chats(), model="marked", settings={"assistant_only_loss": True}),
    Case("another end token that is set", rows=chats(), model="other-end", settings={"eos_token": "<|im_end|>"}),
    Case(
        "text without the beginning",
        rows=[{"text": f"[INST] What is {i}? [/INST] A number."} for i in range(8)],
        model="begins",
    ),
    Case("conversations with the beginning in the template", rows=chats(), model="begins"),
    Case("held-out rows of their own", rows=pairs(), held=[{"prompt": "Who?", "completion": " Me"}]),
    Case("75 one held-out prompt", rows=prompts(), held=[{"prompt": "Who?"}], method="grpo", settings=GROUPS),
    Case("LoRA on all modules", rows=pairs(), lora={"r": 4}),
    Case("LoRA by name", rows=pairs(), lora={"r": 4, "target_modules": "q_proj, v_proj"}),
    Case("LoRA on GPT-2 by name", rows=pairs(), model="gpt2", lora={"r": 4, "target_modules": "c_attn, c_proj"}),
    Case("a reference with the same tokenizer", rows=preferences(), method="dpo", model="plain", reference="gpt2"),
    Case("80 a scorer with another tokenizer", rows=prompts(), method="ppo", scorer="judge"),
    Case("74 a scorer that needs special tokens", rows=prompts(), method="ppo", scorer="framed-scorer"),
    Case("a scorer with a template", rows=each(prompts(), prompt=said("Hi")), method="ppo", scorer="scorer"),
    Case("68 tokenized rows", rows=TOKENS, model="plain"),
    Case("CSV of text", files={"rows.csv": CSV}, path="rows.csv"),
    Case("a list in a JSON file", files={"rows.json": json.dumps(pairs())}, path="rows.json"),
    Case("47 parentheses in a file name", files={"rows (1).jsonl": lines(pairs())}, path="rows (1).jsonl"),
    Case("50 packing", rows=pairs(), settings={"packing": True, "max_length": 64}),
    Case("a JSON answer to learn", rows=each(pairs(), completion=' {"role": "x"}')),
    Case("labels that are all true", rows=pairs(12, label=True)),
    Case("a chain of two stages", rows=chats(), then=("dpo", preferences())),
    Case("a system role that the template refuses, not used", rows=chats(), model="strict"),
    Case("a warmup as a fraction", rows=pairs(), settings={"warmup_steps": 0.1}),
    Case("an empty prompt", rows=put(pairs(), 3, prompt="")),
    Case("07 the words None and NA in CSV", files={"rows.csv": WORDS}, path="rows.csv"),
    Case("08 numbers in CSV, which are text", files={"rows.csv": SUMS}, path="rows.csv"),
    Case("09 dates in JSON, which are text", files={"rows.jsonl": DATES}),
    Case("35 a compressed file", files={"rows.jsonl.gz": gzip.compress(lines(pairs()).encode())}, path="rows.jsonl.gz"),
    Case(
        "36 a saved dataset", path="./saved", write=lambda root: Dataset.from_list(pairs()).save_to_disk(root / "saved")
    ),
    Case("47 brackets in a file name", files={"[clean] rows.jsonl": lines(pairs())}, path="[clean] rows.jsonl"),
    Case("48 CSV in UTF-16", files={"rows.csv": LETTERS.encode("utf-16")}, path="rows.csv"),
    Case("48 CSV with semicolons", files={"rows.csv": LETTERS.replace(",", ";")}, path="rows.csv"),
    Case("58 a file with another column", files=PARTS, path="part-*.jsonl"),
    Case("64 rows under a key", files={"rows.json": json.dumps({"version": "1", "data": pairs()})}, path="rows.json"),
    Case("KTO", rows=[{**row, "label": i % 2 == 0} for i, row in enumerate(pairs())], method="kto"),
    Case(
        "KTO of turns",
        rows=[{"prompt": said("Hi"), "completion": ANSWER, "label": i % 2 == 0} for i in range(8)],
        method="kto",
    ),
    Case("ORPO", rows=preferences(), method="orpo"),
    Case("CPO", rows=preferences(), method="cpo"),
    Case("RLOO", rows=prompts(), method="rloo"),
    Case("distillation", rows=prompts(), method="distillation", reference="donor", model="chat"),
    Case("pairs for a reward model", rows=preferences(), method="judge"),
    Case(
        "pairs of turns for a reward model",
        rows=[{"chosen": said("Hi", "yes"), "rejected": said("Hi", "no")}] * 8,
        method="judge",
        model="other-end",
    ),
]
