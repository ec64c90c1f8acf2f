"""Datasets in the formats that people publish, converted to those that TRL trains on."""

import re
from collections.abc import Sequence
from functools import partial

from datasets import Dataset
from trl import extract_prompt, maybe_convert_to_chatml, unpair_preference_dataset

ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant", "observation": "tool"}
ALPACA = "Below is an instruction that describes a task. Write a response that completes it.\n\n"


def convert_format(
    dataset: Dataset,
    source: str,
    target: str,
    names: dict[str, str] | None = None,
    replaced: Sequence[str] = (),
    conversational: bool = True,
    system: str = "",
) -> Dataset:
    """Convert every row from the format `source` to `target`, one of TRL's dataset types.

    `names` are the columns of prompt and answers, for rows of the format "columns". The columns in `replaced` are
    removed. `system` begins every conversation that has no system message of its own.
    """
    options = {"names": names or {}, "target": target, "conversational": conversational, "system": system}
    dataset = dataset.map(partial(convert_row, source=source, **options), remove_columns=list(replaced))
    if target == "unpaired preference" and "chosen" in dataset.column_names:
        return unpair_preference_dataset(dataset)
    return dataset


def convert_row(row: dict, source: str, target: str, names: dict[str, str], conversational: bool, system: str) -> dict:
    """Convert one row."""
    if source == "alpaca":
        parts = from_alpaca(row, conversational)
    elif source in ("sharegpt", "messages"):
        parts = from_chat(row)
    else:
        parts = from_answers({part: row[name] for part, name in names.items()} if names else row, conversational)
    if system and conversational:
        begin_with(system, parts)
    return as_target(parts, target)


# Reading: a row becomes messages, prompt + completion (+ label), or prompt + chosen + rejected


def from_alpaca(row: dict, conversational: bool) -> dict:
    """Instruction, input and output; a system message and earlier turns (pairs of texts) where there are any."""
    instruction, context = row["instruction"], row.get("input") or ""
    if not conversational:
        task = f"### Instruction:\n{instruction}\n\n" + (f"### Input:\n{context}\n\n" if context else "")
        return {"prompt": f"{ALPACA}{task}### Response:\n", "completion": row["output"]}
    turns = [said("system", row["system"])] if row.get("system") else []
    for question, answer in row.get("history") or []:
        turns += [said("user", question), said("assistant", answer)]
    asked = f"{instruction}\n\n{context}" if context else instruction
    return {"prompt": [*turns, said("user", asked)], "completion": [said("assistant", row["output"])]}


def from_chat(row: dict) -> dict:
    """A conversation, of `from` and `value` or of `role` and `content`; chosen and rejected may be its next turns."""
    messages = chat(row["conversations"] if row.get("conversations") else row["messages"])
    if row.get("system") and messages[0]["role"] != "system":
        messages.insert(0, said("system", row["system"]))
    if row.get("chosen") and row.get("rejected"):
        return {"prompt": messages, "chosen": turns_of(row["chosen"]), "rejected": turns_of(row["rejected"])}
    return {"messages": messages}


def from_answers(row: dict, conversational: bool) -> dict:
    """Prompt and answer, prompt and a pair of answers, or two dialogues that begin alike, as texts or as messages."""
    parts = {name: row[name] for name in ("prompt", "completion", "chosen", "rejected") if row.get(name) is not None}
    label = {"label": bool(row["label"])} if row.get("label") is not None else {}
    if isinstance(parts.get("chosen"), list) and not isinstance(parts.get("prompt"), list):
        return extract_prompt({name: chat(parts[name]) for name in ("chosen", "rejected")})
    if "prompt" not in parts:
        return from_dialogues(parts["chosen"], parts["rejected"], conversational)
    return (as_messages(parts) if conversational else parts) | label


def from_dialogues(chosen: str, rejected: str, conversational: bool) -> dict:
    """Two texts such as "\\n\\nHuman: Hello\\n\\nAssistant: Hello." that differ in the last answer."""
    if conversational:
        return extract_prompt({"chosen": dialogue(chosen), "rejected": dialogue(rejected)})
    end = chosen.rfind("Assistant:") + len("Assistant:")
    return {"prompt": chosen[:end], "chosen": chosen[end:], "rejected": rejected[end:]}


def dialogue(text: str) -> list[dict]:
    """The turns of a text such as "\\n\\nHuman: Hello\\n\\nAssistant: Hello."."""
    turns = re.split(r"(?:^|\n\n)(Human|Assistant): ?", text)
    pairs = zip(turns[1::2], turns[2::2], strict=True)
    return [said("user" if name == "Human" else "assistant", content.strip()) for name, content in pairs]


def chat(messages: list[dict]) -> list[dict]:
    """Messages with TRL's keys and roles; a content of text parts becomes one text."""
    messages = maybe_convert_to_chatml({"messages": [dict(message) for message in messages]})["messages"]
    return [
        message | {"role": role_of(message), "content": content_text(message.get("content"))} for message in messages
    ]


def role_of(message: dict) -> str:
    """The name that chat templates have for a role."""
    return ROLES.get(message["role"], message["role"])


def content_text(content: object) -> object:
    """The text of a content that consists of text parts only; any other content is left as it is."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "".join(part["text"] for part in content)
    return content


def turns_of(answer: dict | list | str) -> list[dict]:
    """An answer, which may be a text, a message or several messages, as messages."""
    if isinstance(answer, str):
        return [said("assistant", answer)]
    return chat([answer] if isinstance(answer, dict) else answer)


def as_messages(parts: dict) -> dict:
    """Prompt and answers as conversations, where they are texts."""
    made = {name: chat(value) if isinstance(value, list) else turns_of(value) for name, value in parts.items()}
    if isinstance(parts["prompt"], str):
        made["prompt"] = [said("user", parts["prompt"])]
    return made


def said(role: str, content: str) -> dict:
    """A message."""
    return {"role": role, "content": content}


def begin_with(system: str, parts: dict) -> None:
    """Put a system message first where there is none."""
    messages = parts["messages"] if "messages" in parts else parts["prompt"]
    if not messages or messages[0]["role"] != "system":
        messages.insert(0, said("system", system))


# Writing


def as_target(parts: dict, target: str) -> dict:
    """The columns of TRL's dataset type `target`. Raise ValueError if the row has not what it needs."""
    if target == "language modeling":
        whole = parts["messages"] if "messages" in parts else parts["prompt"] + answer_in(parts)
        return {"messages": whole} if isinstance(whole, list) else {"text": whole}
    if target in ("preference", "unpaired preference") and "chosen" in parts:
        return {name: parts[name] for name in ("prompt", "chosen", "rejected")}
    if target == "unpaired preference" and "label" in parts:
        return parts
    if target in ("preference", "unpaired preference"):
        raise ValueError(f"there is no pair of answers in the row, which {target} needs; choose another target")
    parts = split_off_answer(parts["messages"]) if "messages" in parts else parts
    if target == "prompt-only":
        return {"prompt": parts["prompt"]}
    return {"prompt": parts["prompt"], "completion": answer_in(parts)}


def answer_in(parts: dict) -> str | list[dict]:
    """The completion, or the better one."""
    if "chosen" not in parts and "completion" not in parts:
        raise ValueError("there is no answer in the row; choose the target prompt-only")
    return parts["chosen"] if "chosen" in parts else parts["completion"]


def split_off_answer(messages: list[dict]) -> dict:
    """A conversation up to its last answer, and that answer."""
    last = max((i for i, message in enumerate(messages) if message["role"] == "assistant"), default=len(messages))
    return {"prompt": messages[:last], "completion": messages[last : last + 1]}
