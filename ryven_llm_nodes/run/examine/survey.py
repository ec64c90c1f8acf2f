"""One pass over all rows of a dataset: which kinds of values its columns hold, and where each occurs first.

A survey holds facts, and no judgement: the rules (``rules/``) read it. Rows are read in batches, so that a million of
them take little memory.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

BATCH: Final = 1000
MOST_PATTERNS: Final = 1000
"""Different sequences of roles that are told apart in one column."""
ROLES: Final = ("role", "from")
"""What the key of a message's author is called."""
REASONING: Final = ("reasoning_content", "thinking", "reasoning")
DATES: Final = (datetime.date, datetime.time, datetime.timedelta)

Kind = str
"""text, empty text, null, boolean, number, date, conversation, empty list, JSON text, lists under keys, ..."""


@dataclass
class Tally:
    """In how many rows something occurs, the first of them (from 1), and what is there."""

    count: int = 0
    row: int = 0
    value: Any = None

    def add(self, row: int, value: Any) -> None:
        """Counts ``row``."""
        if not self.count:
            self.row, self.value = row, value
        self.count += 1


@dataclass
class Survey:
    """What the rows of a dataset hold.

    ``kinds`` maps each column to its kinds of values, ``patterns`` each column of conversations to the sequences of
    roles in it, ``turns`` to what is unusual about a turn: ``null user``, ``parts``, ``weight 0``, ``tool_calls``, ...
    ``facts`` holds what is told of a row: ``equal pair``, ``user turn in an answer``, ``held out``.
    """

    rows: int = 0
    kinds: dict[str, dict[Kind, Tally]] = field(default_factory=dict)
    patterns: dict[str, dict[tuple[str, ...], Tally]] = field(default_factory=dict)
    turns: dict[str, dict[str, Tally]] = field(default_factory=dict)
    facts: dict[str, Tally] = field(default_factory=dict)
    fingerprints: set[int] = field(default_factory=set)

    def first(self, column: str, *kinds: Kind) -> Any:
        """The first value of one of ``kinds`` in ``column``."""
        tallies = [self.kinds[column][kind] for kind in kinds if kind in self.kinds.get(column, {})]
        return min(tallies, key=lambda tally: tally.row).value if tallies else None

    def odd_rows(self, columns: Collection[str]) -> list[int]:
        """The first row of every kind of values in ``columns``; from 1."""
        return sorted({tally.row for column in columns for tally in self.kinds.get(column, {}).values()})

    def is_chat(self, column: str) -> bool:
        """Whether ``column`` holds conversations."""
        return "conversation" in self.kinds.get(column, {})


def kind_of(value: Any) -> Kind:
    """What ``value`` is, in words."""
    if type(value) is str:
        return "text" if value and not value.isspace() else "empty text"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, DATES):
        return "date"
    if isinstance(value, dict):
        return _kind_of_object(value)
    if isinstance(value, list):
        return _kind_of_list(value)
    return type(value).__name__


def _kind_of_list(value: list[Any]) -> Kind:
    if not value:
        return "empty list"
    if all(isinstance(item, dict) for item in value):
        if "role" in value[0]:
            return "conversation"
        return "conversation of from and value" if "from" in value[0] and "value" in value[0] else "list of objects"
    return "list"


def _kind_of_object(value: Mapping[str, Any]) -> Kind:
    if any(name in value for name in ROLES):
        return "lists under keys" if all(isinstance(value[name], list) for name in value) else "single message"
    return "object"


class Surveyor:
    """Makes the survey of one dataset.

    ``columns`` are those to look into, ``key`` those that tell whether two rows are the same, ``known`` the
    fingerprints of rows to compare with, and ``pair`` the two columns that are compared with each other.
    """

    def __init__(
        self, columns: Collection[str], key: Sequence[str], known: Collection[int] = (), pair: Sequence[str] = ()
    ) -> None:
        self.columns, self.key, self.known, self.pair = tuple(columns), tuple(key), known, tuple(pair)
        self.survey = Survey()
        self.keep = False
        """Whether fingerprints are kept, for another survey to compare with."""

    def look_at(self, rows: Any) -> Survey:
        """Reads all of ``rows``."""
        for start, batch in _batches(rows, self.columns):
            for column in self.columns:
                self._column(column, start, batch[column])
            if len(self.pair) == 2:
                self._pairs(start, batch)
            if self.keep or self.known:
                self._fingerprints(start, batch)
        self.survey.rows = len(rows)
        return self.survey

    def _column(self, column: str, start: int, values: Sequence[Any]) -> None:
        tallies = self.survey.kinds.setdefault(column, {})
        plain = tallies.setdefault("text", Tally())
        for row, value in enumerate(values, start):
            if type(value) is str and value and not value.isspace():
                if value[0] in "[{" and _is_json_messages(value):
                    tallies.setdefault("JSON text", Tally()).add(row, value)
                else:
                    plain.add(row, value)
                continue
            kind = kind_of(value)
            tallies.setdefault(kind, Tally()).add(row, value)
            if kind == "conversation":
                self._turns(column, row, value)
        if not plain.count:
            del tallies["text"]

    def _turns(self, column: str, row: int, turns: list[dict[str, Any]]) -> None:
        patterns = self.survey.patterns.setdefault(column, {})
        roles = tuple([str(turn.get("role")) for turn in turns])
        if roles in patterns or len(patterns) < MOST_PATTERNS:
            patterns.setdefault(roles, Tally()).add(row, turns)
        found = {what for turn in turns for what in unusual(turn)}
        for what in found:
            self.survey.turns.setdefault(column, {}).setdefault(what, Tally()).add(row, turns)

    def _pairs(self, start: int, batch: Mapping[str, Sequence[Any]]) -> None:
        facts = self.survey.facts
        for row, (one, other) in enumerate(zip(*(batch[name] for name in self.pair), strict=True), start):
            if one == other:
                facts.setdefault("equal pair", Tally()).add(row, one)
            elif isinstance(one, list) and isinstance(other, list) and _goes_on(one, other):
                facts.setdefault("user turn in an answer", Tally()).add(row, one)

    def _fingerprints(self, start: int, batch: Mapping[str, Sequence[Any]]) -> None:
        for row, values in enumerate(zip(*(batch[name] for name in self.key), strict=True), start):
            mark = hash(tuple([value if type(value) is str else _written(value) for value in values]))
            if self.keep:
                self.survey.fingerprints.add(mark)
            if mark in self.known:
                self.survey.facts.setdefault("held out", Tally()).add(row, values[0])


def unusual(turn: Mapping[str, Any]) -> Iterator[str]:
    """What is unusual about a turn of a conversation."""
    content, role = turn.get("content"), turn.get("role")
    if type(content) is not str:
        if isinstance(content, list):
            yield "parts"
        elif content is not None:
            yield f"{kind_of(content)} {role}"
        elif not turn.get("tool_calls"):
            yield f"null {role}"
    elif (not content or content.isspace()) and not turn.get("tool_calls"):
        yield f"empty {role}"
    if len(turn) > 2:
        if turn.get("tool_calls"):
            yield "tool_calls"
        if turn.get("weight") == 0 and turn.get("weight") is not None:
            yield "weight 0"
        if any(turn.get(name) for name in REASONING):
            yield "reasoning"


def _goes_on(one: list[Any], other: list[Any]) -> bool:
    """Whether a user speaks after two conversations have begun to differ: all of that counts as the answer."""
    same = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        same += 1
    return any(isinstance(turn, dict) and turn.get("role") == "user" for turn in (*one[same:], *other[same:]))


def _is_json_messages(text: str) -> bool:
    """Whether ``text`` looks like a conversation written as JSON, or as Python writes a list."""
    start = text[:40].replace("'", '"').replace(" ", "")
    return start.startswith(('[{"role"', '[{"from"', '[{"content"', '{"role"', '[{"value"'))


def _written(value: Any) -> str:
    return repr(value)


def _batches(rows: Any, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Sequence[Any]]]]:
    """The values of ``columns`` in batches, each with the number of its first row."""
    if not columns:
        return
    chosen = rows.select_columns(list(columns)).with_format(None)
    start = 1
    for batch in chosen.iter(batch_size=BATCH):
        yield start, batch
        start += len(batch[columns[0]])
