"""The columns of local data files, read without loading the file, and the columns that each method needs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from glob import glob, has_magic
from pathlib import Path

from ryven_llm_nodes.catalogue.places import DATA_FORMATS, resolve

LARGEST_JSON = 64 * 2**20  # a .json file has to be parsed whole; a larger one is left to the run


def matches(path: str, root: Path) -> list[Path]:
    """The files that ``path``, which may hold ``*``, stands for, sorted."""
    try:
        place = str(resolve(path, root))
        found = glob(place, recursive=True) if has_magic(path) else [place]
        return sorted(Path(name) for name in found if Path(name).is_file())
    except (OSError, ValueError, RuntimeError):
        return []


def columns_of(path: str, root: Path) -> tuple[str, ...] | None:
    """The columns of the first of the files at ``path``, or None where they cannot be told cheaply."""
    files = matches(path, root) if Path(path).suffix.lower() in DATA_FORMATS else []
    if not files:
        return None
    try:
        return READERS[files[0].suffix.lower()](files[0])
    except (OSError, ValueError, StopIteration, RecursionError, AttributeError, csv.Error):
        return None  # broken rows are reported, with their line, when the file is loaded


def _jsonl(file: Path) -> tuple[str, ...] | None:
    with file.open(encoding="utf-8-sig") as lines:
        row = json.loads(next(line for line in lines if line.strip()))
    return tuple(row) if isinstance(row, dict) else None


def _json(file: Path) -> tuple[str, ...] | None:
    if file.stat().st_size > LARGEST_JSON:
        return None
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError:
        return _jsonl(file)  # JSON lines in a .json file are common
    return tuple(rows[0]) if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None


def _csv(file: Path) -> tuple[str, ...]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return tuple(next(csv.reader(lines)))


def _parquet(file: Path) -> tuple[str, ...]:
    from pyarrow.parquet import read_schema

    return tuple(read_schema(file).names)


READERS = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}


def missing_columns(method: str, needs: tuple[tuple[str, ...], ...], columns: tuple[str, ...]) -> Iterator[str]:
    """What ``method`` lacks, where it ``needs`` all columns of one of several groups."""
    if not any(set(group) <= set(columns) for group in needs):
        wanted = " or ".join(" + ".join(map(repr, group)) for group in needs)
        there = ", ".join(map(repr, columns)) or "none"
        yield f"{method} needs the columns {wanted}; the data set has {there}. Rename its columns or take other data."
