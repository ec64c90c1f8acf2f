"""What is shown of rows before anything trains: a dataset as a table, a row as the tokens that a trainer makes of it.

Everything here is plain data, which the terminal prints and which crosses a pipe to the editor as JSON.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program import Step
from ryven_llm_nodes.run.examine.look import SAMPLE
from ryven_llm_nodes.run.examine.opened import Opened
from ryven_llm_nodes.run.examine.prepared import Kind, PreparedRows, TokenSequence

BINS: Final = 20
FORMATS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("tokenized", ("input_ids",)),
    ("preference", ("prompt", "chosen", "rejected")),
    ("preference with an implicit prompt", ("chosen", "rejected")),
    ("unpaired preference", ("prompt", "completion", "label")),
    ("stepwise supervision", ("prompt", "completions", "labels")),
    ("prompt-completion", ("prompt", "completion")),
    ("language modeling", ("messages",)),
    ("language modeling", ("text",)),
    ("prompt-only", ("prompt",)),
)
"""TRL's names of what rows are for, by the columns that they have; the first that fits."""


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens that make one text: usually one token, several where a character is made of them."""

    text: str
    kind: Kind
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Histogram:
    """How many of the values lie between each two neighbours of ``edges``; ``median`` and ``most`` of all of them."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    median: int
    most: int


@dataclass(frozen=True)
class TablePreview:
    """A dataset: its columns with their types, TRL's name for its format, and some of its rows as they are.

    ``first`` is the number of the first of these, counted from 1, as everywhere in messages.
    """

    node: str
    total: int
    format: str
    columns: Mapping[str, str]
    first: int
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Overview:
    """What a trainer makes of a sample of its rows: lengths, and rows and tokens that are lost."""

    node: str
    total: int
    looked_at: int
    lengths: Histogram | None
    dropped: tuple[int, ...]
    rows_cut: int
    untrained: int
    worst: int


@dataclass(frozen=True)
class RowPreview:
    """The sequences that a trainer makes of one row, each as text in pieces."""

    node: str
    row: int
    total: int
    sequences: tuple[tuple[str, tuple[Piece, ...]], ...]
    dropped: bool


def as_data(preview: TablePreview | Overview | RowPreview) -> dict[str, Any]:
    """The fields of a preview, as JSON can hold them."""
    return asdict(preview)


# A dataset


def table(opened: Opened, step: Step, first: int = 1, count: int = 20) -> TablePreview:
    """``count`` rows from ``first`` on, counted from 1, of what ``step`` makes or trains on."""
    rows = opened.dataset(step)
    part = rows.select(range(min(first - 1, len(rows)), min(first - 1 + count, len(rows))))
    types = {name: _type_name(feature) for name, feature in rows.features.items()}
    return TablePreview(step.label, len(rows), format_name(rows), types, first, tuple(part))


def format_name(rows: Any) -> str:
    """TRL's name for the format of ``rows``, and whether they are conversations; empty where no format fits."""
    from trl import is_conversational

    there = set(rows.column_names)
    name = next((name for name, columns in FORMATS if there >= set(columns)), "")
    if not name or name == "tokenized" or not len(rows):
        return name
    return f"{name}, {'conversational' if is_conversational(rows[0]) else 'standard'}"


def _type_name(feature: Any) -> str:
    """A type as people say it: ``text``, ``list of {role: text, content: text}``."""
    if isinstance(feature, dict):
        return "{" + ", ".join(f"{name}: {_type_name(part)}" for name, part in feature.items()) + "}"
    if isinstance(feature, list):
        return f"list of {_type_name(feature[0])}"
    if hasattr(feature, "feature"):
        return f"list of {_type_name(feature.feature)}"
    name = str(getattr(feature, "dtype", feature))
    return {
        "string": "text",
        "large_string": "text",
        "int64": "integer",
        "float64": "number",
        "bool": "true or false",
    }.get(name, name)


# What a trainer makes of rows


def overview(opened: Opened, step: Step) -> Overview:
    """What ``step`` makes of up to ``SAMPLE`` rows. Raises FlowError where the rows cannot be prepared."""
    rows = opened.dataset(step)
    found = opened.prepared(step, sample_of(len(rows)))
    by_row = _by_row(found)
    cut = {row for row, made in by_row.items() if any(one.cut for one in made)}
    untrained = {row for row, made in by_row.items() if step.node.sequences and not all(one.trained for one in made)}
    return Overview(
        node=step.label,
        total=len(rows),
        looked_at=found.looked_at,
        lengths=histogram(found.lengths) if found.lengths else None,
        dropped=tuple(row + 1 for row in found.dropped),
        rows_cut=len(cut),
        untrained=len(untrained),
        worst=max(by_row, key=lambda row: _badness(by_row[row]), default=0) + 1,
    )


def row_preview(opened: Opened, step: Step, row: int) -> RowPreview:
    """What ``step`` makes of one row, counted from 1. Raises UsageError where there is no such row."""
    total = len(opened.dataset(step))
    if not 1 <= row <= total:
        raise UsageError(f"{step.label} has rows 1 to {total}, and no row {row}.")
    found = opened.prepared(step, [row - 1])
    shown = tuple((one.part, tuple(pieces(found.tokenizer, one))) for one in found.sequences)
    return RowPreview(step.label, row, total, shown, row - 1 in found.dropped)


def chosen_row(opened: Opened, step: Step, wanted: str) -> int:
    """The row that ``wanted`` names, counted from 1: a number, ``random``, or ``worst``, the one that loses most.

    Raises UsageError for anything else.
    """
    if wanted == "random":
        return random.Random().randrange(len(opened.dataset(step))) + 1
    if wanted == "worst":
        return overview(opened, step).worst
    try:
        return int(wanted)
    except ValueError:
        raise UsageError(f"--row {wanted}: give a number, random, or worst.") from None


def sample_of(total: int, most: int = SAMPLE) -> list[int]:
    """Up to ``most`` numbers of rows, evenly spread from the first to the last."""
    if total <= most:
        return list(range(total))
    return [round(i * (total - 1) / (most - 1)) for i in range(most)]


def _by_row(found: PreparedRows) -> dict[int, list[TokenSequence]]:
    grouped: dict[int, list[TokenSequence]] = {}
    for number, sequence in enumerate(found.sequences):
        grouped.setdefault(number if sequence.row is None else sequence.row, []).append(sequence)
    return grouped


def _badness(made: Sequence[TokenSequence]) -> tuple[int, int]:
    return sum(one.cut for one in made), sum(len(one.ids) for one in made)


def histogram(values: Sequence[int]) -> Histogram:
    """The distribution of ``values``, which are not empty, in at most ``BINS`` bins of equal width."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1] + 1
    width = max(1, -(-(high - low) // BINS))
    edges = tuple(range(low, high + width, width))
    counts = tuple(sum(start <= value < end for value in ordered) for start, end in pairwise(edges))
    return Histogram(edges, counts, ordered[len(ordered) // 2], ordered[-1])


# Tokens as text


def pieces(tokenizer: Any, sequence: TokenSequence) -> Iterator[Piece]:
    """The text of a sequence, token by token; tokens that only together make a character stay together."""
    before: list[int] = []
    group: list[int] = []
    for i, (token, kind) in enumerate(zip(sequence.ids, sequence.kinds, strict=True)):
        group.append(token)
        text = _text_after(tokenizer, before, group)
        is_last = i + 1 == len(sequence.ids) or sequence.kinds[i + 1] != kind
        if not text.endswith("\ufffd") or is_last:
            yield Piece(text, kind, tuple(group))
            before, group = group, []


def _text_after(tokenizer: Any, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of ``ids`` after that of ``before``: by itself, a first token can lose its leading space."""
    alone, start, both = (_decoded(tokenizer, part) for part in (ids, before, [*before, *ids]))
    return both[len(start) :] if before and both.startswith(start) else alone


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
