"""Rules about columns: those that contradict each other, and those that training does not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ryven_llm_nodes.catalogue.columns import FORMATS
from ryven_llm_nodes.catalogue.findings import Finding, mapping
from ryven_llm_nodes.run.examine.look import Look, excerpt, rule, where
from ryven_llm_nodes.run.examine.survey import kind_of

QUESTIONS: Final = ("question", "instruction", "query", "input", "problem", "user_prompt", "context", "history")
"""What columns that hold the question are called, where there is no prompt."""
SYSTEM: Final = ("system", "system_prompt")
PICTURES: Final = ("images", "image")
DECIDING: Final = ("prompt", "completion", "chosen", "rejected", "messages")
"""By one of these, it does not matter which, TRL tells whether a row is a conversation."""


@rule("rows")
def companions(look: Look) -> Iterator[Finding]:
    """A column that makes the trainer expect another."""
    for port, rows in look.rows.items():
        columns = rows.column_names
        for column, other in look.context.node.companions.items():
            if column in columns and other not in columns:
                taken = " + ".join(map(repr, look.taken(port)))
                yield Finding(
                    port,
                    f"has a column {column!r} and no {other!r}: with {column!r}, training expects both, and does not "
                    f"read {taken}. Remove or rename {column!r} with Map Columns, or add {other!r}.",
                )


@rule("rows")
def contradicting(look: Look) -> Iterator[Finding]:
    """Columns that are not read, but by which TRL may tell whether the rows are conversations."""
    for port, rows in look.rows.items():
        taken, survey = look.taken(port), look.surveys[port]
        both = [name for name in taken if "conversation" in FORMATS.get(name, ())]
        if any(name in look.context.node.companions for name in look.others(port)):
            continue  # reported above
        own = both[0] if len({survey.is_chat(name) for name in both}) == 1 else None
        for column in look.others(port) if own else ():
            is_chat = kind_of(rows[0][column]) == "conversation"
            if column in DECIDING and is_chat != survey.is_chat(own):
                kinds = ("conversations", "text") if is_chat else ("text", "conversations")
                yield Finding(
                    port,
                    f"column {column!r} contains {kinds[0]}, but {own!r} contains {kinds[1]}: which of them tells "
                    f"the format is left to chance. Remove {column!r} with Map Columns.",
                )


@rule("rows")
def two_formats(look: Look) -> Iterator[Finding]:
    """The end token is appended to a text column, where there is one, though training reads prompt and completion."""
    for port, rows in look.rows.items():
        taken = look.taken(port)
        groups = [group for group in look.context.node.needs(look.context) if set(group) <= set(rows.column_names)]
        text = next((group[0] for group in groups if len(group) == 1 and FORMATS.get(group[0]) != CHAT), "")
        if "completion" in taken and text and not look.surveys[port].is_chat("completion"):
            yield Finding(
                port,
                f"has a column {text!r} next to {' + '.join(map(repr, taken))}: training reads the latter, but the "
                f"end token is appended to {text!r} only, so the model does not learn to stop. Remove {text!r} with "
                "Map Columns.",
                "warning",
            )


CHAT: Final = frozenset({"conversation"})


@rule("rows")
def ignored_questions(look: Look) -> Iterator[Finding]:
    """Answers without their question: the column that holds it has another name than prompt."""
    for port, rows in look.rows.items():
        taken = look.taken(port)
        if not {"chosen", "rejected"} <= set(taken) or "prompt" in taken:
            continue
        first = rows[0]
        for column in look.others(port):
            value = first[column]
            if column in QUESTIONS and isinstance(value, str) and value and value not in _text(first["chosen"]):
                yield Finding(
                    port,
                    f"column {column!r} is not read, and 'chosen' does not contain it (row 1: {excerpt(value)}): the "
                    "model learns from answers without their question. Rename it to 'prompt' with Map Columns.",
                    "warning",
                    1,
                    mapping(port, rename={column: "prompt"}),
                )
                break


def _text(value: Any) -> str:
    """All text in a value."""
    if isinstance(value, list):
        return "\n".join(str(turn.get("content")) if isinstance(turn, dict) else str(turn) for turn in value)
    return str(value)


@rule("rows")
def ignored_system(look: Look) -> Iterator[Finding]:
    """A system prompt in a column of its own."""
    for port, rows in look.rows.items():
        first = rows[0]
        for column in look.others(port):
            value = first[column]
            is_read = look.rewards or not isinstance(value, str) or not value.strip()
            if column in SYSTEM and not is_read and value not in _text(first[look.taken(port)[0]]):
                yield Finding(
                    port,
                    f"column {column!r} is not read (row 1: {excerpt(value)}). Put it into the first message, with "
                    "Convert Format or Map Columns, if the model is to learn with it.",
                    "warning",
                    1,
                )


@rule("rows")
def reserved_names(look: Look) -> Iterator[Finding]:
    """TRL takes a column ``labels`` for token ids, whatever it holds."""
    for port, rows in look.rows.items():
        for column, what in look.context.node.reserved.items():
            if column in rows.column_names and "input_ids" not in look.taken(port):
                yield Finding(
                    port,
                    f"has a column {column!r} (row 1: {excerpt(rows[0][column])}), which training takes for {what}. "
                    "Rename or remove it with Map Columns.",
                    row=1,
                )


@rule("rows", "tokenizer")
def pictures(look: Look) -> Iterator[Finding]:
    """A column of images makes the trainer expect a model that sees."""
    for port, rows in look.rows.items():
        for column in rows.column_names:
            if column in PICTURES and not hasattr(look.seen.tokenizer, "image_processor"):
                yield Finding(
                    port,
                    f"has a column {column!r}, for which training needs a vision-language model; "
                    f"remove it with Map Columns.",
                )


@rule("rows")
def marked_bad(look: Look) -> Iterator[Finding]:
    """Rows of unpaired preferences, of which some are marked as bad."""
    for port in look.rows:
        if "label" not in look.others(port) or "completion" not in look.taken(port):
            continue
        tallies = look.surveys[port].kinds["label"]
        values = look.rows[port].unique("label") if set(tallies) == {"boolean"} else []
        if False in values:
            yield Finding(
                port,
                "column 'label' is not read: completions with label false, which marks bad ones, are trained like the "
                "others. Leave them out (Filter), or use a method that learns from labels.",
                "warning",
            )


@rule("rows")
def held_out_rows(look: Look) -> Iterator[Finding]:
    """Rows that are trained on as well as evaluated on."""
    survey = look.surveys.get("dataset")
    if survey and (tally := survey.facts.get("held out")):
        yield Finding(
            "eval_dataset",
            f"shares rows with the dataset that is trained on: {where(tally, survey.rows)} of it "
            f"({excerpt(tally.value)}). The evaluation would look too good; use Split, or Deduplicate.",
            "warning",
            tally.row,
        )
