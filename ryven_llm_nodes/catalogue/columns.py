"""The columns of local data files, read without loading the file, and the columns that each method needs."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from glob import has_magic
from itertools import groupby
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.foreign_formats import source_of
from ryven_llm_nodes.catalogue.places import resolve
from ryven_llm_nodes.catalogue.reading import Look, ending_of, look

MOST_ENTRIES: Final = 50_000
"""Files and folders that a pattern is compared with."""

TEXT: Final = frozenset({"text"})
CHAT: Final = frozenset({"conversation"})
FORMATS: Final[Mapping[str, frozenset[str]]] = {
    "text": TEXT,
    "messages": CHAT,
    **dict.fromkeys(("prompt", "completion", "chosen", "rejected"), TEXT | CHAT),
    **dict.fromkeys(("input_ids", "labels", "label", "attention_mask", "completion_mask"), frozenset()),
}
"""TRL's columns, and what they hold: text, conversations or either; nothing where values are neither."""
ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt": ("user", "system", "developer", "tool", "function", "ipython"),
    **dict.fromkeys(("messages", "completion", "chosen", "rejected"), ("assistant",)),
}
"""Whose turn is the last of a conversation in each column."""


class TooManyFiles(ValueError):
    """A pattern would have to be compared with too many files."""


def matches(path: str, root: Path) -> list[Path]:
    """The files that ``path``, a file or a pattern such as ``*.jsonl``, stands for, sorted. Raises TooManyFiles."""
    try:
        is_pattern = has_magic(path) and not is_there(path, root)
        found = _matching(os.path.expanduser(path), root) if is_pattern else [resolve(path, root)]
        return sorted(file for file in found if file.is_file())
    except TooManyFiles:
        raise
    except (OSError, ValueError, RuntimeError):
        return []


def is_there(path: str, root: Path) -> bool:
    """Whether there is a file of that very name, which may look like a pattern: ``[clean] rows.jsonl``."""
    return os.path.isfile(resolve(path, root))


def _matching(pattern: str, root: Path) -> list[Path]:
    """``glob.glob`` with a limit: a pattern in a flow could make it walk an entire disk for hours."""
    found, budget = {root / Path(pattern).anchor}, [MOST_ENTRIES]
    parts = Path(pattern).parts[bool(Path(pattern).anchor) :]
    for part, _ in groupby(parts):  # a/**/**/b is a/**/b
        if part == "**":
            found |= {below for folder in found for below in _below(folder, budget)}
        elif has_magic(part):
            found = {Path(entry) for folder in found for entry in _entries(folder, budget) if _fits(entry.name, part)}
        else:
            found = {folder / part for folder in found if (folder / part).exists()}
    return list(found)


def _entries(folder: Path | str, budget: list[int]) -> Iterator[os.DirEntry[str]]:
    """What lies in ``folder``; each takes one from the ``budget``."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                budget[0] -= 1
                if budget[0] < 0:
                    raise TooManyFiles
                yield entry
    except OSError:
        return  # no folder, or one that may not be read: nothing of it matches


def _fits(name: str, part: str) -> bool:
    return fnmatch(name, part) and (part.startswith(".") or not name.startswith("."))


def _below(folder: Path, budget: list[int]) -> Iterator[Path]:
    """Everything in ``folder`` and its subfolders; links, which may form a loop, are not followed."""
    todo: list[Path | str] = [folder]
    while todo:
        for entry in _entries(todo.pop(), budget):
            if not entry.name.startswith("."):
                yield Path(entry)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)


def columns_of(path: str, root: Path, **options: str) -> tuple[str, ...] | None:
    """The columns of the first of the files at ``path``, or None where they cannot be determined cheaply.

    ``options`` are those of :func:`~ryven_llm_nodes.catalogue.reading.look`.
    """
    found = look_at(path, root, **options)
    return found[0].columns if found else None


def look_at(path: str, root: Path, most: int = 1, **options: str) -> list[Look]:
    """What the first ``most`` of the files at ``path`` tell, as far as they can be read."""
    try:
        files = matches(path, root) if ending_of(path) else []
        return [look(file, **options) for file in files[:most]]
    except UNREADABLE:
        return []  # broken rows are reported, with their line, when the file is loaded


UNREADABLE: Final = (
    OSError,
    EOFError,
    ValueError,
    StopIteration,
    RecursionError,
    AttributeError,
    LookupError,
    csv.Error,
)
"""What reading the beginning of any file may raise."""


def missing_columns(method: str, needs: tuple[tuple[str, ...], ...], columns: tuple[str, ...]) -> Iterator[str]:
    """What ``method`` is missing, where it ``needs`` all columns of one of several groups."""
    if not any(set(group) <= set(columns) for group in needs):
        wanted = " or ".join(" + ".join(map(repr, group)) for group in needs)
        there = ", ".join(map(repr, columns)) or "none"
        yield f"{method} needs the columns {wanted}; the dataset has {there}. {_remedy(columns)}"


def is_converted(columns: tuple[str, ...]) -> bool:
    """Whether a dataset of ``columns`` is in a format that Convert Format recognizes by them."""
    return _source(columns) in CONVERTED


def _source(columns: tuple[str, ...]) -> str:
    try:
        return source_of(columns)
    except ValueError:
        return ""


def _remedy(columns: tuple[str, ...]) -> str:
    """What to do with a dataset of ``columns``, which may be in a format that is converted."""
    source = _source(columns)
    if source in CONVERTED:
        return f"This is the format {CONVERTED[source]}: insert Convert Format between them."
    return "Rename its columns with Map Columns, or use other data."


CONVERTED: Final = {"alpaca": "of Alpaca", "sharegpt": "of ShareGPT", "ultrafeedback": "of UltraFeedback"}
"""Formats that are recognized by their columns alone."""


KEYWORDS: Final = ("prompts", "completions", "trainer_state", "log_extra", "log_metric")
"""What TRL passes to a reward by name next to the columns; ``completion_ids`` it leaves out of the columns itself."""


def taken_columns(columns: Iterable[str]) -> Iterator[str]:
    """Columns that a reward could not get, since TRL passes something else by that name."""
    for name in KEYWORDS:
        if name in columns:
            yield f"has a column {name!r}, but TRL passes an argument of its own by that name to rewards; rename it."
