"""Where a pipeline starts: Load Model and Load Dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ryven_llm_nodes.catalogue.cell import Cell, DatasetValue, ModelValue, call, literal
from ryven_llm_nodes.catalogue.columns import MOST_ENTRIES, TooManyFiles, columns_of, matches
from ryven_llm_nodes.catalogue.node import Complaint, LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, flag, text, whole
from ryven_llm_nodes.catalogue.places import DATA_FORMATS, is_local, location_expression, path_expression, resolve
from ryven_llm_nodes.errors import clipped, shown

DTYPES = ("float32", "bfloat16", "float16", "auto")
REVISION = text("revision", "", "Branch, tag or commit of a Hub model; empty: its main branch.")
TRUST = flag("trust_remote_code", False, "Run Python code that the model's repository brings. Off unless you know it.")


class LoadModel(LLMNode):
    """A pre-trained causal language model, from the Hugging Face Hub or a local folder.

    Nothing is loaded here: the wire carries the model's location, and each stage loads it from there.
    """

    title = "Load Model"
    family = "source"
    stem = "base_model"
    tags = ["model", "llm", "hub", "pretrained", "llama", "smollm", "load", "checkpoint"]
    out_ports = (Port("model", "model"),)
    parameters = (
        text(
            "path",
            "",
            "Hub id (owner/name) or local folder of the model. A relative folder lies beside the flow file.",
            required=True,
            typical="HuggingFaceTB/SmolLM2-135M-Instruct or ./my-model",
            widget="folder",
        ),
        REVISION,
        choice("dtype", "float32", DTYPES, "Precision of the weights; float32 trains with bf16 autocast on a GPU."),
        text(
            "attn_implementation",
            "",
            "Attention implementation; empty: the library's choice.",
            typical="sdpa, eager, flash_attention_2",
        ),
        TRUST,
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        init = {"dtype": context["dtype"], "attn_implementation": context["attn_implementation"]}
        defaults = {"dtype": "float32", "attn_implementation": ""}
        value = ModelValue(
            context.name,
            init={name: value for name, value in init.items() if value != defaults[name]},
            revision=context["revision"] or None,
            trust_remote_code=context["trust_remote_code"],
        )
        return Cell(
            statement=f"{context.name} = {location_expression(context['path'], context.root)}", values={"model": value}
        )

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from model_complaints(context)


def model_complaints(context: NodeContext) -> Iterator[Complaint]:
    """What is wrong with the ``path`` and ``revision`` of a node that names a model, as far as a look can tell."""
    if is_local(context["path"], context.root):
        yield from (("path", wrong) for wrong in folder_complaints(context["path"], context.root, tokenizer=True))
        if context["revision"]:
            yield "revision", f"is for Hub models, but {shown(context['path'])} is a folder; clear it."


def folder_complaints(location: str, root: Path, tokenizer: bool = False) -> Iterator[str]:
    """Why the folder at ``location`` is no saved model, if so."""
    folder = resolve(location, root)
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for a name that is too long
        found = "is a file" if os.path.exists(folder) else "does not exist"
        yield f"the model folder {shown(location)} {found}; give a folder with config.json, or a Hub id (owner/name)."
    elif not (folder / "config.json").is_file():
        yield f"{shown(location)} is no model folder: it has no config.json."
    elif not any(folder.glob("*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        yield f"{shown(location)} holds no weights (*.safetensors); save the model there with save_pretrained."
    elif tokenizer and not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        yield f"{shown(location)} holds no tokenizer; save it there with tokenizer.save_pretrained."


class LoadDataset(LLMNode):
    """Rows to train on, from the Hugging Face Hub or from local JSON, JSONL, CSV or Parquet files."""

    title = "Load Dataset"
    family = "source"
    stem = "dataset"
    tags = ["dataset", "data", "hub", "json", "jsonl", "csv", "parquet", "prompts", "preference", "load"]
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        text(
            "path",
            "",
            "Hub data set (owner/name), or a .json, .jsonl, .csv or .parquet file (* matches several).",
            required=True,
            typical="trl-lib/tldr or data/train.jsonl",
            widget="file",
        ),
        text("config", "", "Configuration (subset) of a Hub data set; empty: its only one."),
        text("split", "train", "Split to use; slices such as train[:1000] work.", required=True),
        text("revision", "", "Branch, tag or commit of a Hub data set; empty: its main branch."),
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
        value = DatasetValue(name, columns_of(context["path"], context.root))
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
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        path, is_file = context["path"], _is_data_file(context["path"], context.root)
        try:
            found = bool(matches(path, context.root))
        except TooManyFiles:
            yield "path", f"{shown(path)} is compared with more than {MOST_ENTRIES} files; name a folder with fewer."
            return
        if is_file and not found:
            root = clipped(str(context.root), 200)
            yield "path", f"the file {shown(path)} does not exist (looked in {root}); correct the path."
        elif is_local(path, context.root) and not found and not _is_folder(path, context.root):
            kinds = ", ".join(DATA_FORMATS)
            yield "path", f"{shown(path)} does not exist; give a {kinds} file, a folder, or a Hub data set."
        elif found and not is_file:
            yield "path", f"{shown(path)} is no data file; give one that ends in {', '.join(DATA_FORMATS)}."


def _is_folder(path: str, root: Path) -> bool:
    return os.path.isdir(resolve(path, root))


def _is_data_file(path: str, root: Path) -> bool:
    return Path(path).suffix.lower() in DATA_FORMATS
