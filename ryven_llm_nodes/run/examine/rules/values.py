"""Rules about the values of the columns that training reads: their types, and what is empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.columns import FORMATS
from ryven_llm_nodes.catalogue.findings import Finding, converting
from ryven_llm_nodes.run.examine.look import Look, excerpt, rule, where
from ryven_llm_nodes.run.examine.survey import Survey

LEARNED: Final = ("completion", "chosen", "rejected")
WHAT: Final = {
    "number": ("contains numbers", "Training takes text: convert it with Map Columns, or write it as text."),
    "boolean": ("contains true or false", "Training takes text: convert it with Map Columns, or write it as text."),
    "date": ("contains dates, which the reader made of text", "Keep it as text, or convert it with Map Columns."),
    "object": ("contains objects", "Give one value per row: text, or a list of messages with role and content."),
    "single message": ("contains a single message", "Put it into a list, with Convert Format or Map Columns."),
    "lists under keys": (
        "contains one object of lists per row, not a list of messages",
        "Give a list of messages with role and content per row, with Convert Format.",
    ),
    "list": ("contains lists that are not messages", "Give text, or a list of messages with role and content."),
    "list of objects": ("contains lists of objects without a role", "Give messages with role and content."),
    "conversation of from and value": (
        "contains messages with from and value",
        "Training takes role and content: insert Convert Format.",
    ),
    "JSON text": (
        "contains conversations as JSON text",
        "Training takes lists of messages: insert Convert Format, or save the data as JSON lines or Parquet.",
    ),
}
"""What is said of a kind of values that training does not take, and the remedy."""
CONVERTED: Final = ("conversation of from and value", "JSON text", "lists under keys", "single message")
"""The kinds that Convert Format makes conversations of."""
NO_VALUES: Final = ("null", "empty list")
READABLE: Final = ("text", "empty text", "conversation")


@rule("rows")
def nothing_there(look: Look) -> Iterator[Finding]:
    """A row without a value fails in the trainer."""
    for port, column, survey in look.judged():
        for kind in NO_VALUES:
            if kind == "empty list" and "conversation" not in FORMATS.get(column, ()):
                continue
            if tally := survey.kinds[column].get(kind):
                what = "has no value (null)" if kind == "null" else "is an empty list"
                yield Finding(
                    port,
                    f"column {column!r} {what} {where(tally, survey.rows)}. Fill it, or leave such rows out (Filter).",
                    row=tally.row,
                )


@rule("rows")
def wrong_types(look: Look) -> Iterator[Finding]:
    """Text or conversations are read; other values fail in the trainer."""
    for port, column, survey in look.judged():
        for kind, tally in survey.kinds[column].items():
            if kind in READABLE or kind in NO_VALUES or not _is_judged(column, kind):
                continue
            what, words = WHAT.get(kind, (f"contains values of type {kind}", "Give text, or messages."))
            yield Finding(
                port,
                f"column {column!r} {what} {where(tally, survey.rows)}: {excerpt(tally.value)}. {words}",
                row=tally.row,
                remedy=converting(port) if kind in CONVERTED else None,
            )


def _is_judged(column: str, kind: str) -> bool:
    """Text that looks like JSON is text, unless the column can only hold conversations."""
    takes = FORMATS.get(column, frozenset({"text"}))
    return bool(takes) and (kind != "JSON text" or "text" not in takes)


@rule("rows")
def text_for_conversations(look: Look) -> Iterator[Finding]:
    """A column that can hold only one of text and conversations."""
    for port, column, survey in look.judged():
        takes = FORMATS.get(column, frozenset({"text"}))
        for kind, needed in (("text", "conversation"), ("conversation", "text")):
            if takes == {needed} and (tally := survey.kinds[column].get(kind)):
                yield Finding(
                    port,
                    f"column {column!r} contains {_plural(kind)} {where(tally, survey.rows)}: {excerpt(tally.value)}. "
                    f"It has to hold {_plural(needed)}; rename it, or insert Convert Format.",
                    row=tally.row,
                )


@rule("rows")
def mixed_formats(look: Look) -> Iterator[Finding]:
    """Whether rows are conversations is told by one of the columns, so all must agree, in every row."""
    for port in look.rows:
        survey = look.surveys[port]
        columns = [name for name in look.taken(port) if len(FORMATS.get(name, ())) == 2]
        chats = [name for name in columns if survey.is_chat(name)]
        texts = [name for name in columns if {"text", "empty text"} & set(survey.kinds[name])]
        if chats and texts:
            yield _mixed(port, survey, chats[0], next((name for name in texts if name not in chats), texts[0]))


def _mixed(port: str, survey: Survey, chat: str, text: str) -> Finding:
    remedy = "Give all as text or all as messages, with Convert Format or Map Columns."
    if chat == text:
        tally = min((survey.kinds[chat][kind] for kind in ("text", "conversation")), key=lambda tally: tally.count)
        what = f"column {chat!r} contains text in some rows and conversations in others"
        return Finding(port, f"{what}; {where(tally, survey.rows)}: {excerpt(tally.value)}. {remedy}", row=tally.row)
    what = f"column {text!r} contains text, but {chat!r} contains conversations"
    return Finding(port, f"{what}, in row 1: {excerpt(survey.first(text, 'text', 'empty text'))}. {remedy}", row=1)


def _plural(kind: str) -> str:
    return "conversations" if kind == "conversation" else kind


@rule("rows")
def empty_text(look: Look) -> Iterator[Finding]:
    """An empty completion teaches to stop at once; empty plain text teaches nothing."""
    for port, column, survey in look.judged():
        tally = survey.kinds[column].get("empty text")
        if not tally or (column not in LEARNED and len(look.taken(port)) > 1):
            continue
        if look.samples:
            what = "the model has nothing to continue"
        else:
            what = "the model is trained to stop at once" if column in LEARNED else "nothing is learned from it"
        yield Finding(
            port,
            f"column {column!r} is empty {where(tally, survey.rows)}: {what}. Leave such rows out (Filter).",
            "warning",
            tally.row,
        )


@rule("rows")
def labels(look: Look) -> Iterator[Finding]:
    """A label says whether a completion is good; without both kinds there is nothing to compare."""
    for port in look.rows:
        if "label" not in look.taken(port):
            continue
        survey = look.surveys[port]
        for kind, tally in survey.kinds["label"].items():
            if kind not in ("boolean", "number", "null"):
                yield Finding(
                    port,
                    f"column 'label' contains {_named(kind)} {where(tally, survey.rows)}: {excerpt(tally.value)}. It "
                    "has to be true or false.",
                    row=tally.row,
                )
        values = set(look.rows[port].unique("label"))
        if len(values) == 1 and port == "dataset":
            yield Finding(
                port,
                f"column 'label' is {excerpt(values.pop())} in all rows: good completions are learned by comparing "
                "them with bad ones. Add rows of the other kind.",
                "warning",
            )


@rule("rows")
def values_for_rewards(look: Look) -> Iterator[Finding]:
    """A reward gets every column, and has to expect each kind of value in it."""
    for port in look.rows if look.rewards else ():
        survey = look.surveys[port]
        for column in look.others(port):
            kinds = {kind: tally for kind, tally in survey.kinds[column].items() if kind != "empty text"}
            if len(kinds) > 1:
                rare, tally = min(kinds.items(), key=lambda item: item[1].count)
                usual = max(kinds.keys() - {rare}, key=lambda kind: kinds[kind].count)
                yield Finding(
                    port,
                    f"column {column!r}, which the reward gets, contains {_named(usual)}, but {_named(rare)} "
                    f"{where(tally, survey.rows)}: {excerpt(tally.value)}. Give all rows values of one type, or leave "
                    "these out (Filter).",
                    "warning",
                    tally.row,
                )


def _named(kind: str) -> str:
    return NAMES.get(kind, kind)


NAMES: Final = {
    "null": "no value (null)",
    "number": "numbers",
    "boolean": "true or false",
    "date": "dates",
    "object": "objects",
    "list": "lists",
    "empty list": "empty lists",
    "list of objects": "lists of objects",
    "conversation": "conversations",
    "JSON text": "conversations as JSON text",
    "single message": "single messages",
}
"""How the kinds of values are called in a sentence."""
