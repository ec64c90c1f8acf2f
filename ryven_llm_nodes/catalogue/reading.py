"""How the files of a dataset are to be read, as their names and first rows tell, so that text stays text."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import json
import lzma
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final

BUILDERS: Final = {
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".tsv": "csv",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".txt": "text",
}
"""The builder of ``datasets`` that reads files with such an ending."""
PACKED: Final[Mapping[str, Callable[..., Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""Endings of compressed files, and what opens them."""
ZSTD: Final = ".zst"  # needs the package zstandard
ENDINGS: Final = ", ".join(BUILDERS) + f" (also {', '.join((*PACKED, ZSTD))})"
"""The endings of data files, as messages list them."""

SAMPLE_BYTES: Final = 10 * 2**20
"""What is read of a file of JSON lines, or of a CSV file."""
LONGEST_NAME: Final = 10_000
SAMPLE_ROWS: Final = 1000
LARGEST_JSON: Final = 64 * 2**20  # a .json file has to be parsed in full; a larger one is left to the run
MARKS: Final = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"} | {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATORS: Final = (",", "\t", ";", "|")
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d(:?\d\d(:?\d\d(\.\d+)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
"""What the JSON reader of Arrow takes for a point in time."""
UTF8: Final = "utf-8"


def ending_of(path: str) -> str:
    """The ending that tells the format: ``.jsonl`` of ``rows.jsonl.gz``; empty where it tells none."""
    place = Path(path)
    if place.suffix.lower() in (*PACKED, ZSTD):
        place = place.with_suffix("")
    return place.suffix.lower() if place.suffix.lower() in BUILDERS else ""


def is_packed(path: str) -> bool:
    """Whether a file of that name is compressed."""
    return Path(path).suffix.lower() in (*PACKED, ZSTD)


def needs_zstandard(path: str) -> bool:
    """Whether the package zstandard is needed to read it, and is not installed."""
    return Path(path).suffix.lower() == ZSTD and _zstandard() is None


def _zstandard() -> Any:
    try:
        return import_module("zstandard")
    except ImportError:
        return None


@dataclass(frozen=True)
class Look:
    """What the beginning of a file tells.

    ``columns`` are None where they cannot be told. ``under`` are the keys of a JSON object that hold rows, and
    ``is_frame`` whether it holds columns of objects, as pandas writes them. ``is_literal`` is whether a reader that
    guesses types would change values: dates that are text, and columns of text and numbers. ``first`` is the first row
    of a CSV file.
    """

    columns: tuple[str, ...] | None = None
    encoding: str = UTF8
    separator: str = ","
    under: tuple[str, ...] = ()
    is_frame: bool = False
    is_literal: bool = False
    first: Mapping[str, str] = field(default_factory=dict)
    undecodable: str = ""


def look(file: Path, encoding: str = "", separator: str = "", key: str = "") -> Look:
    """What ``file`` tells; ``encoding``, ``separator`` and ``key`` (of rows in a JSON object) where they are given.

    Raises OSError, ValueError and the like for a file that cannot be read.
    """
    found = file.stat()
    return _look(file, encoding, separator, key, (found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=256)
def _look(file: Path, encoding: str, separator: str, key: str, state: tuple[int, int]) -> Look:
    ending = ending_of(file.name)
    if ending == ".parquet":
        return Look(_parquet(file))
    if ending == ".txt":
        return Look(("text",), encoding or UTF8)
    if BUILDERS.get(ending) not in ("json", "csv") or needs_zstandard(file.name):
        return Look()
    encoding = encoding or _encoding_of(file)
    if wrong := _undecodable(file, encoding):
        return Look(encoding=encoding, undecodable=wrong)
    if BUILDERS[ending] == "csv":
        return _csv(file, encoding, separator)
    return _json(file, encoding, key)


def opened(file: Path) -> IO[bytes]:
    """The bytes of ``file``, unpacked."""
    if file.suffix.lower() == ZSTD:
        return _zstandard().open(file, "rb")
    return PACKED.get(file.suffix.lower(), open)(file, "rb")


def _encoding_of(file: Path) -> str:
    with opened(file) as data:
        start = data.read(4)
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), UTF8)


def _undecodable(file: Path, encoding: str) -> str:
    """The first byte that is not in that encoding, in words."""
    with opened(file) as data:
        start = data.read(2**20)
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(start)
    except UnicodeDecodeError as error:
        byte, line = error.object[error.start : error.start + 1], start.count(b"\n", 0, error.start) + 1
        return f"line {line}: byte 0x{byte.hex()} (in cp1252: {byte.decode('cp1252', 'replace')!r}) is not {encoding}"
    return ""


def _text(file: Path, encoding: str) -> str:
    """The beginning of ``file``, to the end of a line."""
    with opened(file) as data:
        start = data.read(SAMPLE_BYTES)
    text = codecs.getincrementaldecoder(_bare(encoding))("strict").decode(start)
    return text if len(start) < SAMPLE_BYTES else text[: text.rfind("\n")]


def _bare(encoding: str) -> str:
    return "utf-8-sig" if codecs.lookup(encoding).name == UTF8 else encoding


# CSV


def _csv(file: Path, encoding: str, separator: str) -> Look:
    lines = [line for line in _text(file, encoding).splitlines(keepends=True) if line.strip()]
    separator = separator or _separator_of(lines[0], ending_of(file.name))
    rows = csv.reader(lines, delimiter=separator)
    names = next(rows)
    if max(map(len, names)) > LONGEST_NAME:
        raise ValueError("the first line is no line of names")
    header = tuple(name or f"Unnamed: {i}" for i, name in enumerate(names))  # as pandas names them
    first = dict(zip(header, next(rows, ()), strict=False))
    return Look(header, encoding, separator, first=first)


def _separator_of(header: str, ending: str) -> str:
    """The usual one of the ending, or the first of the others where that does not occur."""
    usual = "\t" if ending == ".tsv" else ","
    return next((mark for mark in (usual, *SEPARATORS) if mark in header), usual)


# JSON


def _json(file: Path, encoding: str, key: str) -> Look:
    if ending_of(file.name) == ".json" and file.stat().st_size <= LARGEST_JSON:
        with opened(file) as data:
            text = data.read().decode(_bare(encoding))
        try:
            return _of_document(json.loads(text), encoding, key)
        except ValueError:
            pass  # JSON lines in a .json file are common
    lines = (line for line in _text(file, encoding).split("\n") if line.strip())
    rows = [json.loads(line) for _, line in zip(range(SAMPLE_ROWS), lines, strict=False)]
    return _of_rows(rows, encoding)


def _of_document(document: Any, encoding: str, key: str) -> Look:
    if isinstance(document, list):
        return _of_rows(document, encoding)
    if not isinstance(document, dict):
        return Look(encoding=encoding)
    lists = {name: value for name, value in document.items() if _is_rows(value)}
    chosen = lists.get(key or next(iter(lists), "") if len(lists) == 1 or key else "")
    if chosen is not None:
        return Look(tuple(chosen[0]), encoding, under=tuple(lists), is_literal=True)
    is_frame = bool(document) and all(isinstance(value, dict) for value in document.values())
    columns = None if lists or is_frame else tuple(document)
    return Look(columns, encoding, under=tuple(lists), is_frame=is_frame)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _of_rows(rows: list[Any], encoding: str) -> Look:
    if not rows or not isinstance(rows[0], dict):
        return Look(encoding=encoding)
    rows = [row for row in rows if isinstance(row, dict)]
    is_literal = encoding != UTF8 or _has_dates(rows) or _is_mixed(rows)
    return Look(tuple(rows[0]), encoding, is_literal=is_literal)


def _has_dates(rows: list[Any]) -> bool:
    """Whether all texts at some place of the rows look like dates: of those, the reader makes points in time."""
    dates: dict[str, bool] = {}
    for place, text in _texts(rows, ""):
        if dates.get(place, True):
            dates[place] = bool(DATE.fullmatch(text))
    return any(dates.values())


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in ``value`` with its place, the same for all items of a list."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, f"{place}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{place}.{name}")


def _is_mixed(rows: list[Any]) -> bool:
    """Whether a column holds both text and numbers: of a text "3", the reader then makes a number."""
    text, numbers = set[str](), set[str]()
    for row in rows:
        text |= {name for name, value in row.items() if isinstance(value, str)}
        numbers |= {name for name, value in row.items() if isinstance(value, (bool, int, float))}
    return bool(text & numbers)


def _parquet(file: Path) -> tuple[str, ...]:
    from pyarrow.parquet import read_schema

    return tuple(read_schema(file).names)
