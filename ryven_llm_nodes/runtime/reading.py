"""JSON rows with every value as it stands in the file: dates stay text, and so does a "3" in a column with numbers."""

import json
from collections.abc import Iterator
from glob import glob

import fsspec
import pyarrow as pa
import pyarrow.json as paj
from datasets import Dataset, Json


def read_json(data_files: str | list[str], field: str = "", encoding: str = "utf-8") -> Dataset:
    """Load rows from files or patterns, into memory; `field` is the key of an object that they lie under.

    `load_dataset("json")` makes timestamps of a column of dates, and numbers of texts such as "3" in a column that also
    holds numbers. A column that some rows do not have is None there.
    """
    patterns = [data_files] if isinstance(data_files, str) else data_files
    files = [file for pattern in patterns for file in sorted(glob(pattern, recursive=True))]
    if not field and encoding == "utf-8":
        try:
            return Dataset(pa.concat_tables([table_of(file) for file in files], promote_options="default"))
        except pa.ArrowInvalid:
            pass  # other types in a column, or a list of rows: row by row
    return dataset_of([row for file in files for row in json_rows(file, field, encoding)])


def table_of(file: str) -> pa.Table:
    """One object per line, as Arrow reads them, but with text where it sees points in time. Raise ArrowInvalid."""
    options = paj.ReadOptions(block_size=64 * 2**20)
    with fsspec.open(file, "rb", compression="infer") as lines:
        seen = paj.read_json(lines, options).schema
    if seen == (schema := pa.schema([field.with_type(without_times(field.type)) for field in seen])):
        schema = None
    with fsspec.open(file, "rb", compression="infer") as lines:
        return paj.read_json(lines, options, paj.ParseOptions(explicit_schema=schema))


def without_times(kind: pa.DataType) -> pa.DataType:
    """The type, with text in place of points in time."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(without_times(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(without_times(field.type)) for field in kind])
    return kind


def dataset_of(rows: list[dict]) -> Dataset:
    """Rows as they are; of a column of texts and other values, each one keeps its type."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    mixed = [name for name, values in columns.items() if is_mixed(values)]
    encoded = {name: [None if value is None else json.dumps(value) for value in columns[name]] for name in mixed}
    dataset = Dataset.from_dict(columns | encoded, on_mixed_types="use_json")
    for name in mixed:
        dataset = dataset.cast_column(name, Json())
    return dataset


def json_rows(file: str, field: str, encoding: str) -> Iterator[dict]:
    """Yield the rows of a file: a list, a list under the key `field`, or one object per line."""
    encoding = encoding.lower().replace("utf-8", "utf-8-sig")
    with fsspec.open(file, "rt", encoding=encoding, compression="infer") as lines:
        if field:
            yield from json.load(lines)[field]
            return
        for number, line in enumerate(lines, 1):
            if number == 1 and line.lstrip().startswith("["):
                yield from json.loads(line + lines.read())
            elif line.strip():
                yield json_row(line, f"{file}, line {number}")


def json_row(line: str, where: str) -> dict:
    """Parse one row."""
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def is_mixed(values: list) -> bool:
    """Whether there are both texts and other values."""
    kinds = {type(value) for value in values if value is not None}
    return str in kinds and len(kinds) > 1
