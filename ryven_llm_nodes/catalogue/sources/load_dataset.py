"""Load Dataset: the rows that a stage trains on or is evaluated on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ryven_llm_nodes.catalogue.cell import Cell, call, literal
from ryven_llm_nodes.catalogue.columns import MOST_ENTRIES, TooManyFiles, columns_of, matches
from ryven_llm_nodes.catalogue.files import File, data_files
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import flag, text, whole
from ryven_llm_nodes.catalogue.places import DATA_FORMATS, is_local, location_expression, path_expression, resolve
from ryven_llm_nodes.catalogue.values import DatasetValue
from ryven_llm_nodes.errors import clipped, shown


class LoadDataset(LLMNode):
    """Rows to train on, from the Hugging Face Hub or from local JSON, JSONL, CSV or Parquet files."""

    title = "Load Dataset"
    position = 2
    stem = "dataset"
    icon = accent = "dataset"
    tags = ["dataset", "data", "hub", "json", "jsonl", "csv", "parquet", "prompts", "preference", "load"]
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        text(
            "path",
            "",
            "Hub dataset (owner/name), or a .json, .jsonl, .csv or .parquet file (* matches several).",
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
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        name = context.name
        statement = f"{name} = {cls._load(context)}"
        if context["shuffle"]:
            statement += f"\n{name} = {name}.shuffle(seed={literal(context['seed'])})"
        if context["limit"] is not None:
            statement += f"\n{name} = {name}.select(range(min({literal(context['limit'])}, len({name}))))"
        value = DatasetValue(expression=name, columns=columns_of(context["path"], context.root))
        return Cell(("from datasets import load_dataset",), statement=statement, values={"dataset": value})

    @staticmethod
    def _load(context: NodeContext) -> str:
        path, split = context["path"], literal(context["split"])
        if _is_data_file(path, context.root):
            kind = DATA_FORMATS[Path(path).suffix.lower()]
            return call("load_dataset", literal(kind), data_files=path_expression(path), split=split)
        place = location_expression(path, context.root)
        config = [literal(context["config"])] if context["config"] else []
        revision = {"revision": literal(context["revision"])} if context["revision"] else {}
        return call("load_dataset", place, *config, split=split, **revision)

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        if isinstance(path := context["path"], str):
            yield from data_files(path, context.root)

    @classmethod
    def data_files(cls, context: NodeContext) -> list[Path]:
        return matches(context["path"], context.root)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        path, is_file = context["path"], _is_data_file(context["path"], context.root)
        try:
            found = bool(matches(path, context.root))
        except TooManyFiles:
            yield "path", f"{shown(path)} is compared with more than {MOST_ENTRIES} files; use a folder with fewer."
            return
        if is_file and not found:
            root = clipped(str(context.root), 200)
            yield "path", f"the file {shown(path)} does not exist (looked in {root}); correct the path."
        elif is_local(path, context.root) and not found and not _is_folder(path, context.root):
            kinds = ", ".join(DATA_FORMATS)
            yield "path", f"{shown(path)} does not exist; give a {kinds} file, a folder, or a Hub dataset."
        elif found and not is_file:
            yield "path", f"{shown(path)} is not a data file; give one that ends in {', '.join(DATA_FORMATS)}."


def _is_folder(path: str, root: Path) -> bool:
    return os.path.isdir(resolve(path, root))


def _is_data_file(path: str, root: Path) -> bool:
    return Path(path).suffix.lower() in DATA_FORMATS
