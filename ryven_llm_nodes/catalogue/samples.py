"""The first rows of a local data file, read without ``datasets``, and how many rows there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.reading import BUILDERS, LARGEST_JSON, Look, ending_of, opened

Row = Mapping[str, Any]
MOST: Final = 200
LARGEST_COUNTED: Final = 256 * 2**20
"""A larger file is not read to its end only to count its rows."""


def first_rows(file: Path, look: Look, field: str = "", most: int = MOST) -> list[Row]:
    """Up to ``most`` rows of ``file``, of which :func:`~ryven_llm_nodes.catalogue.reading.look` told ``look``.

    ``field`` is the key of an object that they lie under. Raises OSError, ValueError and the like.
    """
    return list(islice(_rows(file, look, field), most))


def count_rows(file: Path, look: Look, field: str = "") -> int | None:
    """How many rows there are; None where counting them would take long."""
    if BUILDERS.get(ending_of(file.name)) == "parquet":
        from pyarrow.parquet import read_metadata

        return int(read_metadata(file).num_rows)
    if file.stat().st_size > LARGEST_COUNTED:
        return None
    return sum(1 for _ in _rows(file, look, field))


def _rows(file: Path, look: Look, field: str) -> Iterator[Row]:
    kind = BUILDERS.get(ending_of(file.name))
    if kind == "parquet":
        yield from _parquet(file)
    elif kind in ("json", "csv", "text"):
        with opened(file) as data, io.TextIOWrapper(data, encoding=look.encoding.replace("utf-8", "utf-8-sig")) as text:
            if kind == "csv":
                yield from csv.DictReader(text, delimiter=look.separator)
            elif kind == "text":
                yield from ({"text": line.rstrip("\n")} for line in text)
            else:
                yield from _json(file, text, field)


def _json(file: Path, text: Any, field: str) -> Iterator[Row]:
    """One object per line, a list of objects, or an object that holds them."""
    start = text.readline()
    try:
        first = json.loads(start)
    except ValueError:
        if file.stat().st_size > LARGEST_JSON:
            return
        first = json.loads(start + text.read())
    if isinstance(first, list):
        yield from (row for row in first if isinstance(row, dict))
    elif field:
        yield from (row for row in first.get(field, ()) if isinstance(row, dict))
    else:
        yield from (row for row in [first] if isinstance(row, dict))
        yield from (row for line in text if line.strip() and isinstance(row := json.loads(line), dict))


def _parquet(file: Path) -> Iterator[Row]:
    from pyarrow.parquet import ParquetFile

    for batch in ParquetFile(file).iter_batches(batch_size=MOST):
        yield from batch.to_pylist()
