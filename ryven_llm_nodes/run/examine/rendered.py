"""Rows of a sample as the chat template writes them, and how many tokens they have. Needs a tokenizer, no model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ryven_llm_nodes.errors import one_line
from ryven_llm_nodes.run.examine.look import SAMPLE, Look

ANSWERS = ("completion", "chosen", "rejected")
BATCH = 64


@dataclass(frozen=True)
class Text:
    """One text of a row: ``prompt`` (empty if there is none) is how it begins, ``turns`` what it was rendered from.

    ``row`` counts from 1. ``error`` is what a template said that refused it.
    """

    row: int
    text: str = ""
    prompt: str = ""
    turns: tuple[Mapping[str, Any], ...] = ()
    tools: Any = None
    error: str = ""


@dataclass(frozen=True)
class Rendered:
    """The texts of one dataset of a node, for a sample of its rows, and for one row of every sequence of roles."""

    look: Look
    port: str

    @property
    def is_chat(self) -> bool:
        """Whether the rows are conversations."""
        return any(self.look.surveys[self.port].is_chat(column) for column in self.look.taken(self.port))

    @cached_property
    def numbers(self) -> list[int]:
        """The rows of the sample, spread over the dataset; from 1."""
        count = len(self.look.rows[self.port])
        step = 1 if self.look.all_rows else max(1, count // SAMPLE)
        spread = range(1, count + 1, step) if self.look.all_rows else range(1, count + 1, step)[:SAMPLE]
        patterns = self.look.surveys[self.port].patterns.values()
        return sorted({*spread, *(tally.row for column in patterns for tally in column.values())})

    @property
    def sampled(self) -> str:
        """What a share is a share of."""
        count, total = len(self.numbers), len(self.look.rows[self.port])
        return f"{total} rows" if count == total else f"{count} sampled rows (--all-rows counts all {total})"

    @cached_property
    def texts(self) -> list[Text]:
        """All texts of the sample; a pair has two."""
        rows = self.look.rows[self.port]
        columns = [*self.look.taken(self.port), *(name for name in ("tools",) if name in rows.column_names)]
        chosen = rows.select_columns(columns).with_format(None).select([number - 1 for number in self.numbers])
        return [text for number, row in zip(self.numbers, chosen, strict=True) for text in self._of_row(number, row)]

    def _of_row(self, number: int, row: Mapping[str, Any]) -> Iterator[Text]:
        taken = self.look.taken(self.port)
        tools = _tools(row.get("tools"))
        answers = [row[name] for name in taken if name in ANSWERS]
        prompt = row.get("prompt") if "prompt" in taken else None
        wholes = answers if answers else [None] if prompt is not None else [row[taken[0]]]
        for whole in wholes:
            yield self._text(Text(number, tools=tools), prompt, whole)

    def _text(self, text: Text, prompt: Any, answer: Any) -> Text:
        """A text or a conversation out of a prompt and an answer, of which either may be missing."""
        given = [value for value in (prompt, answer) if value is not None]
        if all(isinstance(value, str) for value in given):
            return replace(text, text="".join(given), prompt=prompt or "")
        if not given or not all(_is_conversation(value) for value in given):
            return text  # other types, or nothing: reported by other rules
        turns = tuple(map(_without_nothing, [turn for value in given for turn in value]))
        try:
            begin = self.render(tuple(map(_without_nothing, prompt)), text.tools, True) if prompt else ""
            whole = self.render(turns, text.tools, False) if answer is not None else begin
        except Exception as error:  # the trainer would fail with the same error
            return replace(text, turns=turns, error=one_line(str(error)) or type(error).__name__)
        return replace(text, text=whole, prompt=begin, turns=turns)

    def render(self, turns: tuple[Mapping[str, Any], ...], tools: Any, generate: bool) -> str:
        """A conversation through the chat template. Raises what the template raises."""
        return str(
            self.look.seen.tokenizer.apply_chat_template(
                [dict(turn) for turn in turns], tools=tools, tokenize=False, add_generation_prompt=generate
            )
        )

    @cached_property
    def tokens(self) -> list[tuple[Text, list[int]]]:
        """The token ids of all texts, as TRL makes them; templates write all special tokens themselves."""
        made: list[tuple[Text, list[int]]] = []
        texts = [text for text in self.texts if text.text and not text.error]
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            ids = self.look.seen.tokenizer([text.text for text in part], add_special_tokens=not self.is_chat)
            made += zip(part, ids["input_ids"], strict=True)
        return made


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(turn, dict) and "role" in turn for turn in value)


def _without_nothing(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Turns of one table all have the same keys; those without a value were not there when the data was written."""
    return {name: value for name, value in turn.items() if value is not None or name == "content"}


def _tools(value: Any) -> Any:
    try:
        return (json.loads(value) if isinstance(value, str) else value) or None
    except ValueError:
        return None
