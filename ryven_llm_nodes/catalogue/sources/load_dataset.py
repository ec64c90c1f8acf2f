"""Load Dataset: the rows that a stage trains on or is evaluated on."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from ryven_llm_nodes.catalogue.cell import Cell, literal
from ryven_llm_nodes.catalogue.columns import MOST_ENTRIES, TooManyFiles
from ryven_llm_nodes.catalogue.files import File, data_files
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.loading import Loading
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import Parameter, flag, text, whole
from ryven_llm_nodes.catalogue.reading import BUILDERS, ENDINGS, UTF8, ending_of, needs_zstandard
from ryven_llm_nodes.catalogue.values import DatasetValue
from ryven_llm_nodes.errors import clipped, shown, suggestion

TYPES = ("string", "bool", "int64", "float64")


class LoadDataset(LLMNode):
    """Rows to train on, from local files (JSON, JSON lines, CSV, Parquet, Arrow, text), a folder, or the Hub.

    Values stay as they are: every cell of a CSV file is text, ``NA`` and ``007`` too (``types`` names the exceptions),
    and a date in a JSON file is text. A folder may also be one that ``Dataset.save_to_disk`` has written.
    """

    title = "Load Dataset"
    position = 2
    stem = "dataset"
    icon = accent = "dataset"
    tags = ["dataset", "data", "hub", "json", "jsonl", "csv", "parquet", "prompts", "preference", "load"]
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        Parameter(
            name="path",
            types=(str, list),
            items=(str,),
            default="",
            help="Hub dataset (owner/name), folder, or data file; * matches several. A list takes several files.",
            required=True,
            typical="trl-lib/tldr or data/train.jsonl",
            widget="file",
        ),
        text("config", "", "Configuration (subset) of a Hub dataset;  empty: its only one."),
        text("split", "train", "Split to use; slices such as train[:1000] work.", required=True),
        text("revision", "", "Branch, tag or commit of a Hub dataset;  empty: its main branch."),
        flag("shuffle", False, "Shuffle the rows, before the limit is applied."),
        whole("seed", 42, "Seed of the shuffle.", at_least=0, at_most=2**32 - 1),
        whole("limit", None, "Use at most this many rows; empty: all.", at_least=1),
        flag("streaming", False, "Fetch only the first rows of a Hub dataset, as many as the limit says."),
        text("field", "", "Key that the rows of a JSON file lie under; empty: the only one that holds rows, if any."),
        text("encoding", "", "Encoding of text files; empty: UTF-8, or what a byte order mark says.", typical="cp1252"),
        text("separator", "", "Separator of CSV files; empty: the one in the header.", typical=", or ;"),
        Parameter(
            name="types",
            types=(dict,),
            default={},
            help="Types of the columns of CSV files that are not text: bool, int64 or float64.",
            typical='{"score": "float64"}',
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        loading, name = Loading(context), context.name
        statement = f"{name} = {loading.expression}"
        if context["streaming"]:
            return _streamed(context, loading, statement)
        if context["shuffle"]:
            statement += f"\n{name} = {name}.shuffle(seed={literal(context['seed'])})"
        if context["limit"] is not None:
            statement += f"\n{name} = {name}.select(range(min({literal(context['limit'])}, len({name}))))"
        value = DatasetValue(expression=name, columns=loading.columns)
        return Cell(loading.imports, statement=statement, values={"dataset": value})

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        given = context["path"]
        if isinstance(given, (str, list)):
            yield from data_files(given, context.root)

    @classmethod
    def fetched(cls, context: NodeContext) -> str | None:
        loading = Loading(context)
        if not loading.is_of_hub:
            return None
        return "" if context["streaming"] else "\n".join((*loading.imports, loading.expression))

    @classmethod
    def data_files(cls, context: NodeContext) -> list[Path]:
        loading = Loading(context)
        first = loading.first
        is_usual = first.encoding == UTF8 and (first.separator, loading.field) == (",", "") and not first.is_frame
        return loading.files() if is_usual else []

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        loading = Loading(context)
        if wrong := _wrong_list(loading.paths):
            yield "path", wrong
            return
        if context["encoding"] and (wrong := _wrong_encoding(context["encoding"])):
            yield "encoding", wrong
            return
        try:
            missing = list(loading.missing())
        except TooManyFiles:
            path = shown(context["path"])
            yield "path", f"{path} is compared with more than {MOST_ENTRIES} files; use a folder with fewer."
            return
        yield from (("path", _missing(path, context.root)) for path in missing)
        if not missing:
            yield from _wrong_paths(loading)
            yield from _wrong_options(loading)
            yield from _wrong_files(loading)


def _streamed(context: NodeContext, loading: Loading, statement: str) -> Cell:
    """Rows are fetched until there are enough."""
    name = context.name
    shuffled = f".shuffle(seed={literal(context['seed'])})" if context["shuffle"] else ""
    rows = f"list({name}{shuffled}.take({literal(context['limit'])}))"
    statement += f"\n{name} = Dataset.from_list({rows}, features={name}.features)"
    imports = (*loading.imports, "from datasets import Dataset")
    return Cell(imports, statement=statement, values={"dataset": DatasetValue(expression=name)})


def _missing(path: str, root: Path) -> str:
    where = clipped(str(root), 200)
    if ending_of(path):
        return f"the file {shown(path)} does not exist (looked in {where}); correct the path."
    return f"{shown(path)} does not exist; give a {ENDINGS} file, a folder, or a Hub dataset."


def _wrong_list(paths: list[str]) -> str | None:
    if not paths:
        return "is empty; give a file, a folder or a Hub dataset."
    kinds = {BUILDERS.get(ending_of(path)) for path in paths}
    if len(paths) > 1 and (len(kinds) > 1 or None in kinds):
        return f"must be a list of files of one format, that end in {ENDINGS}."
    return None


def _wrong_paths(loading: Loading) -> Iterator[Complaint]:
    """Files of unknown formats, and those that a package is missing for."""
    paths = loading.paths
    if not loading.ending and loading.files():
        yield "path", f"{shown(paths[0])} is not a data file; give one that ends in {ENDINGS}."
    elif any(needs_zstandard(path) for path in paths):
        yield "path", "is compressed with zstd, which needs the package zstandard; pip install zstandard."


def _wrong_options(loading: Loading) -> Iterator[Complaint]:
    """Settings that do not go with the source."""
    context = loading.context
    if loading.saved == "dataset" and context["split"] != "train":
        yield "split", "is for datasets with several splits, but this folder holds one dataset; clear it."
    if loading.is_literal and context["split"] != "train":
        yield "split", "must be 'train' for this file, which is read row by row; use limit, or a Split node."
    if context["streaming"] and (
        loading.ending or loading.saved or context["limit"] is None or "[" in context["split"]
    ):
        yield (
            "streaming",
            "is for complete splits of Hub datasets and folders, and needs a limit; set one, or clear this.",
        )
    for name, kind in context["types"].items():
        columns = loading.columns
        if kind not in TYPES:
            near = suggestion(kind, list(TYPES)) if isinstance(kind, str) else ""
            yield "types", f"{name!r} must be one of {', '.join(TYPES)}, got {shown(kind)}.{near}"
        elif columns is not None and name not in columns:
            yield "types", f"there is no column {name!r}.{suggestion(name, list(columns))}"


def _wrong_files(loading: Loading) -> Iterator[Complaint]:
    """What the beginning of the files tells."""
    first, name = loading.first, shown(loading.paths[0] if loading.paths else "")
    if first.undecodable:
        yield "encoding", f"{name}, {first.undecodable}; set the encoding of the file, such as 'cp1252'."
    elif first.is_frame:
        remedy = "save it with to_json(orient='records', lines=True)"
        yield "path", f"{name} is one object of columns, as pandas writes it, not rows; {remedy}."
    elif first.under and not loading.field:
        yield "field", f"is not set, but rows of {name} lie under {' and '.join(map(repr, first.under))}; choose one."
    elif loading.field and loading.builder == "json" and loading.field not in first.under and first.columns is not None:
        yield "field", f"{name} has no rows under {shown(loading.field)}; clear it, or give another key."


def _wrong_encoding(encoding: str) -> str | None:
    try:
        codecs.lookup(encoding)
    except (LookupError, ValueError):
        return f"there is no encoding {shown(encoding)}; use utf-8, utf-16 or cp1252, for instance."
    return None
