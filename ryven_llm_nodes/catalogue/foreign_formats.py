"""Formats in which people publish datasets, as the names of their columns tell. Scripts may contain this too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

DETECT = "detect"
SOURCES = ("alpaca", "sharegpt", "messages", "hh-rlhf", "ultrafeedback", "columns")
TARGETS = ("language modeling", "prompt-only", "prompt-completion", "preference", "unpaired preference")
"""TRL's names of dataset types."""
USUAL = {
    "prompt": ("prompt", "question", "instruction", "query", "problem", "input"),
    "completion": ("completion", "response", "answer", "output", "solution", "target"),
    "chosen": ("chosen", "chosen_response", "response_chosen", "accepted"),
    "rejected": ("rejected", "rejected_response", "response_rejected"),
    "label": ("label",),
}
"""The names under which a column is usually found."""
TRAINED = ("messages", "text", "prompt", "completion", "chosen", "rejected", "label", "images", "tools")
"""The columns that TRL's trainers read."""


def usual_names(columns: Sequence[str]) -> dict[str, str]:
    """Which column is the prompt, the completion, the better and the worse answer, and the label."""
    found = {part: next((name for name in names if name in columns), "") for part, names in USUAL.items()}
    return {part: name for part, name in found.items() if name}


def source_of(columns: Sequence[str]) -> str:
    """Name the format of a dataset with such columns. Raise ValueError if it is none of those known."""
    there, names = set(columns), usual_names(columns)
    is_pair = {"chosen", "rejected"} <= there
    if "conversations" in there:
        return "sharegpt"
    if is_pair and "prompt" not in names:
        return "hh-rlhf"
    if is_pair and there & {"messages", "score_chosen"}:
        return "ultrafeedback"
    if "messages" in there:
        return "messages"
    if {"instruction", "output"} <= there:
        return "alpaca"
    if "prompt" in names:
        return "columns"
    raise ValueError(f"no known format has the columns {', '.join(map(repr, columns)) or 'none'}")


def replaced_by(columns: Sequence[str], source: str, target: str) -> list[str]:
    """The columns that converted ones replace. Next to a prompt alone, answers stay, which rewards may read."""
    if source == "columns":
        names = usual_names(columns)
        held = {names.get("prompt")} if target == "prompt-only" else {*names.values()} - {"label"}
    elif source == "alpaca":
        held = {"instruction", "input", "system", "history"} | (set() if target == "prompt-only" else {"output"})
    else:
        held = {"conversations", "system", "chosen", "rejected"}
    return [name for name in columns if name in held or name in TRAINED]


def conversion(columns: Sequence[str], source: str, target: str, say: Callable[[str], None] | None = None) -> dict:
    """The format of rows with such columns, the columns of its parts, and those that the conversion replaces."""
    if source == DETECT:
        source = source_of(columns)
        if say is not None:
            say(f"the columns are those of the format {source}: {', '.join(columns)}")
    names = usual_names(columns) if source == "columns" else {}
    return {"source": source, "names": names, "replaced": replaced_by(columns, source, target)}


# What follows is for the check alone


def columns_of_source(source: str, columns: Sequence[str]) -> dict[str, str]:
    """The parts that rows of a format consist of, with the columns that hold them; what is missing is not there."""
    there = set(columns)
    if source == "columns":
        return usual_names(columns)
    parts = {
        "alpaca": {"prompt": "instruction", "completion": "output"},
        "sharegpt": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
        "messages": {"messages": "messages"},
    }.get(source, {"chosen": "chosen", "rejected": "rejected"})
    return {part: name for part, name in parts.items() if name in there}


def missing_of(source: str, columns: Sequence[str]) -> str:
    """What rows of a format need and such rows have not, in words; empty where nothing is missing."""
    needs = {
        "alpaca": ("instruction", "output"),
        "sharegpt": ("conversations",),
        "messages": ("messages",),
        "columns": (),
    }.get(source, ("chosen", "rejected"))
    missing = [name for name in needs if name not in columns]
    if source == "columns" and "prompt" not in usual_names(columns):
        return f"a prompt (a column {' or '.join(map(repr, USUAL['prompt']))})"
    return " + ".join(map(repr, missing)) if missing else ""


def has_answers_for(target: str, source: str, columns: Sequence[str]) -> bool:
    """Whether rows of a format have the answers that a dataset type needs."""
    parts = columns_of_source(source, columns)
    if target == "preference":
        return {"chosen", "rejected"} <= set(parts)
    if target == "unpaired preference":
        return {"chosen", "rejected"} <= set(parts) or {"completion", "label"} <= set(parts)
    return target == "prompt-only" or bool({"messages", "completion", "chosen"} & set(parts))


def columns_of_target(target: str, is_standard: bool) -> tuple[str, ...]:
    """The columns of one of TRL's dataset types."""
    return {
        "language modeling": ("text",) if is_standard else ("messages",),
        "prompt-only": ("prompt",),
        "prompt-completion": ("prompt", "completion"),
        "preference": ("prompt", "chosen", "rejected"),
    }.get(target, ("prompt", "completion", "label"))
