"""Finds in data files what a reader could not read: file, line, and what to do.

Dataset readers say that something is wrong, at best in which block of a file. The file is read again, with the
standard library, until the place is found.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.columns import TooManyFiles
from ryven_llm_nodes.errors import shown

LARGEST: Final = 2**29
"""Largest file, in bytes, that is read again."""
MARKS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
KINDS: Final = {bool: "true or false", int: "numbers", float: "numbers", str: "text", list: "lists", dict: "objects"}


def broken_data(find: Callable[[], list[Path]]) -> str | None:
    """What ``find`` finds wrong with the files of a dataset, and what to do; None if nothing is found."""
    try:
        small = [file for file in find() if file.stat().st_size <= LARGEST]
        return next(_wrong(small), None)
    except (OSError, TooManyFiles, RecursionError, MemoryError):
        return None


def wrong_bytes(files: Iterable[Path]) -> str | None:
    """The JSON reader accepts bytes that are not UTF-8, which fails later, where the text is used."""
    small = (f for f in files if f.suffix.lower() in (".json", ".jsonl") and f.stat().st_size <= LARGEST)
    return next((wrong for file in small for wrong in _wrong_bytes(file)), None)


def _is_blank(file: Path) -> bool:
    """Whether there is nothing but space in it; a file with rows is read up to the first."""
    with file.open("rb") as lines:
        return not any(line.strip() for line in lines)


def _wrong(files: list[Path]) -> Iterator[str]:
    texts = [file for file in files if file.suffix.lower() in (".csv", ".jsonl", ".json")]
    for file in texts:
        yield from _wrong_bytes(file)
        if _is_blank(file):
            yield f"{file.name} is empty. Give a file with rows."
    for file in texts:
        yield from _wrong_cells(file) if file.suffix.lower() == ".csv" else _wrong_json(file)
    yield from _different(texts)


# Bytes


def _wrong_bytes(file: Path) -> Iterator[str]:
    """Only UTF-8 is read."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            mark = next((name for mark, name in MARKS.items() if number == 1 and line.startswith(mark)), None)
            if mark or b"\0" in line:
                yield f"{file.name} is {mark or 'not UTF-8, but perhaps UTF-16'}. {_save_as(mark or 'UTF-16')}"
                return
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start : error.start + 1]
                what = f"byte 0x{byte.hex()} (in cp1252: {byte.decode('cp1252', 'replace')!r}) is not UTF-8"
                yield f"{file.name}, line {number}, column {error.start + 1}: {what}. {_save_as('cp1252')}"
                return


def _save_as(encoding: str) -> str:
    return f"Save the file as UTF-8 (iconv -f {encoding} -t UTF-8, or your editor's Save As)."


# Rows


def _wrong_json(file: Path) -> Iterator[str]:
    """A line that is not an object; a file that is one list is parsed in full."""
    is_list = file.suffix.lower() == ".json" and file.read_text(encoding="utf-8-sig").lstrip()[:1] == "["
    for number, text in [(1, file.read_text(encoding="utf-8-sig"))] if is_list else _lines(file):
        try:
            row = json.loads(text)
        except ValueError as error:
            line = getattr(error, "lineno", 1) + number - 1
            where = f"{file.name}, line {line}, column {getattr(error, 'colno', 1)}"
            yield f"{where}: {getattr(error, 'msg', error)}: {shown(text.split(chr(10))[line - number])}. {FIX}"
            return
        if not is_list and not isinstance(row, dict):
            yield f"{file.name}, line {number}: contains {shown(row)}, not an object with columns. {FIX}"
            return


FIX: Final = "Fix that line, or remove it."


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    with file.open(encoding="utf-8-sig") as lines:
        yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _wrong_cells(file: Path) -> Iterator[str]:
    """More cells than the header has, or an unclosed quote, which swallows the rest of the file."""
    csv.field_size_limit(LARGEST)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines, strict=True)
        start, width = 1, 0
        try:
            for row in rows:
                width = width or len(row)
                if len(row) > width:
                    yield f"{file.name}, line {start}: has {len(row)} cells, but the header has {width}. {QUOTE}"
                    return
                start = rows.line_num + 1
        except csv.Error as error:
            what = "a quote is never closed" if "unexpected end" in str(error) else str(error)
            yield f'{file.name}, line {start}: {what}. {QUOTE} A quote inside a cell is written twice ("").'


QUOTE: Final = 'Put cells that contain commas, quotes or line breaks into quotes ("...").'


# Columns


def _different(files: list[Path]) -> Iterator[str]:
    """A file with other columns than the first; a value of another type than those before it."""
    columns: dict[str, str] = {}
    kinds: dict[str, tuple[str, str]] = {}
    for file in files:
        own: dict[str, str] = {}
        for place, row in _rows(file):
            own |= dict.fromkeys(row, file.name)
            yield from _other_kinds(place, row, kinds)
        yield from _other_columns(file, own, columns or own)
        columns = columns or own


def _other_kinds(place: str, row: dict[str, Any], kinds: dict[str, tuple[str, str]]) -> Iterator[str]:
    for name, value in row.items():
        if (kind := KINDS.get(type(value))) is not None:
            before, there = kinds.setdefault(name, (kind, place))
            if kind != before:
                what = f"column {name!r} contains {kind}, but {before} in {there}"
                yield f"{place}: {what}. Use values of one type per column."


def _other_columns(file: Path, own: dict[str, str], columns: dict[str, str]) -> Iterator[str]:
    more, less = [name for name in own if name not in columns], [name for name in columns if name not in own]
    if more or less:
        what = (
            f"has a column {more[0]!r}, which {columns[next(iter(columns))]} has not"
            if more
            else (f"has no column {less[0]!r}, which {columns[less[0]]} has")
        )
        yield f"{file.name} {what}. Give all files the same columns, or load each kind with its own node."


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row and its place; of a CSV only the header, since its cells are text."""
    if file.suffix.lower() == ".csv":
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield f"{file.name}, line 1", dict.fromkeys(next(csv.reader(lines), ()))
        return
    text = file.read_text(encoding="utf-8-sig") if file.suffix.lower() == ".json" else ""
    rows = enumerate(json.loads(text), 1) if text.lstrip()[:1] == "[" else ()
    yield from ((f"{file.name}, row {number}", row) for number, row in rows if isinstance(row, dict))
    for number, line in () if rows else _lines(file):
        if isinstance(row := json.loads(line), dict):
            yield f"{file.name}, line {number}", row
