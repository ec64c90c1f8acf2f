"""Root 1: only the names of columns were looked at, never the values."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from cases.case import Case, chats, each, pairs, preferences, prompts, put, said

CSV_NULL = "\ufeffprompt,completion\r\n" + "".join(
    f"What is {i}?,{'' if i == 5 else f'Number {i}'}\r\n" for i in range(9)
)
SUMS = "prompt,completion\n" + "".join(f"{i} plus {i}:,{2 * i}\n" for i in range(12))
DATES = "".join(json.dumps({"prompt": f"Date {i}: ", "completion": f"2024-03-{i + 1:02}"}) + "\n" for i in range(9))
QUOTED = "id,messages\n" + "".join(
    f'{i},"{json.dumps(said(f"What is {i}?", "A number.")).replace(chr(34), chr(34) * 2)}"\n' for i in range(9)
)
TABLE = json.dumps({name: {str(i): f"{name} {i}" for i in range(9)} for name in ("prompt", "completion")})
WORDS = "prompt,completion\n" + "".join(f"Case {i}:,{('low', 'None', 'NA', 'high')[i % 4]}\n" for i in range(8))
OBJECTS = [
    {
        "conversations": [{"from": "human", "value": "Hi"}],
        "chosen": {"from": "gpt", "value": "a"},
        "rejected": {"from": "gpt", "value": "b"},
    }
] * 8
LEGACY = [{"messages": {"role": ["user", "assistant"], "content": [f"What is {i}?", "A number."]}} for i in range(8)]
PARTS = [{"type": "text", "text": "What is this?"}]


def write_dates(root: Path) -> None:
    """A column of dates, which JSON and CSV do not have."""
    from datasets import Dataset

    rows = [{"prompt": f"Date {i}: ", "completion": datetime.date(2024, 3, i + 1)} for i in range(8)]
    Dataset.from_list(rows).to_parquet(root / "dates.parquet")


CSV = "messages\n" + "".join(f'"[{{""role"": ""user"", ""content"": ""What is {i}?""}}]"\n' for i in range(9))

CASES = [
    Case(
        "06 an empty cell in CSV of Excel",
        "warning",
        "'completion' is empty in row 6",
        files={"rows.csv": CSV_NULL},
        path="rows.csv",
    ),
    Case(
        "10 conversations as JSON in CSV",
        "error",
        "column 'messages' contains conversations as JSON text in 9 of 9 rows",
        files={"chat.csv": CSV},
        path="chat.csv",
    ),
    Case(
        "38 a table of columns",
        "error",
        "is one object of columns, as pandas writes it",
        files={"rows.json": TABLE},
        path="rows.json",
    ),
    Case(
        "60 numbers among text",
        "error",
        "'completion' contains numbers in 5 of 12 rows, first in row 8: 7",
        rows=[{"prompt": f"{i} is", "completion": f" {i}" if i < 7 else i} for i in range(12)],
    ),
    Case(
        "60 numbers among text for a reward",
        "warning",
        "'answer', which the reward gets, contains",
        rows=[{"prompt": f"{i}:", "answer": str(i) if i % 2 else i} for i in range(12)],
        method="grpo",
        settings={"num_generations": 4},
    ),
    Case(
        "numbers as completions in JSON",
        "error",
        "'completion' contains numbers in 12 of 12 rows, first in row 1: 0",
        rows=[{"prompt": f"{i} is", "completion": i} for i in range(12)],
    ),
    Case("dates as completions in Parquet", "error", "contains dates", path="dates.parquet", write=write_dates),
    Case(
        "52 an empty conversation", "error", "'messages' is an empty list in row 5", rows=put(chats(), 5, messages=[])
    ),
    Case("52 an empty conversation first", "error", "is an empty list in row 1", rows=put(chats(), 1, messages=[])),
    Case(
        "52 an empty turn",
        "warning",
        "an empty turn of 'assistant' in row 8",
        rows=put(chats(), 8, messages=said("Hi", "")),
    ),
    Case("54 lists under keys", "error", "one object of lists per row", rows=LEGACY),
    Case(
        "61 no answer in row 9",
        "warning",
        "no value (null) in row 9",
        rows=put(prompts(12, answer="4"), 9, answer=None),
        method="grpo",
        settings={"num_generations": 4},
    ),
    Case(
        "79 a single message as an answer",
        "error",
        "'chosen' contains a single message",
        rows=OBJECTS,
        method="dpo",
        also=("'rejected' contains a single message",),
    ),
    Case("null prompt", "error", "'prompt' has no value (null) in row 3", rows=put(pairs(), 3, prompt=None)),
    Case(
        "null text",
        "error",
        "'text' has no value",
        rows=put([{"text": f"Some text {i}."} for i in range(8)], 2, text=None),
    ),
    Case("null messages", "error", "'messages' has no value (null) in row 12", rows=put(chats(), 12, messages=None)),
    Case(
        "null chosen",
        "error",
        "'chosen' has no value (null) in row 2",
        rows=put(preferences(), 2, chosen=None),
        method="dpo",
    ),
    Case(
        "null among prompts of a rollout",
        "error",
        "'prompt' has no value (null) in row 4",
        rows=put(prompts(), 4, prompt=None),
        method="ppo",
    ),
    Case("true and false as completions", "error", "contains true or false", rows=each(pairs(), completion=True)),
    Case(
        "lists of words as completions",
        "error",
        "contains lists that are not messages",
        rows=each(pairs(), completion=["a", "b"]),
    ),
    Case("objects as prompts", "error", "'prompt' contains objects", rows=each(pairs(), prompt={"question": "a"})),
    Case(
        "conversations in the text column",
        "error",
        "'text' contains conversations",
        rows=[{"text": said("a", "b")}] * 8,
    ),
    Case(
        "plain text as messages", "error", "'messages' contains text in 8 of 8 rows", rows=[{"messages": "Hello"}] * 8
    ),
    Case(
        "messages of from and value",
        "error",
        "messages with from and value",
        rows=[{"messages": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}] * 8,
    ),
    Case(
        "an empty completion",
        "warning",
        "'completion' is empty in row 7: the model is trained to stop at once",
        rows=put(pairs(), 7, completion=""),
    ),
    Case("a completion of spaces", "warning", "'completion' is empty in row 1", rows=put(pairs(), 1, completion="  ")),
    Case(
        "empty text",
        "warning",
        "'text' is empty in row 2: nothing is learned",
        rows=put([{"text": f"Some text {i}."} for i in range(8)], 2, text=""),
    ),
    Case(
        "null content of the assistant",
        "warning",
        "an empty turn of 'assistant' (null",
        rows=put(chats(), 2, messages=said("Hi", None)),
    ),
    Case(
        "an empty chosen answer",
        "warning",
        "'chosen' is empty in row 3",
        rows=put(preferences(), 3, chosen=""),
        method="dpo",
    ),
]
