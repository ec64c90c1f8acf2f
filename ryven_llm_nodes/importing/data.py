"""A flow for the data that someone has: the format is detected, and each kind of rows gets the method that uses it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    KTO,
    SFT,
    ConvertFormat,
    ExactMatch,
    ExportScript,
    ImportModel,
    LLMNode,
    LoadDataset,
    LoadModel,
    MapColumns,
    RewardFunction,
    SaveModel,
    Split,
)
from ryven_llm_nodes.catalogue.columns import UNREADABLE, TooManyFiles
from ryven_llm_nodes.catalogue.foreign_formats import source_of, usual_names
from ryven_llm_nodes.catalogue.loading import Loading
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.reading import ENDINGS
from ryven_llm_nodes.catalogue.samples import Row, count_rows, first_rows
from ryven_llm_nodes.errors import FlowError, Problem, shown
from ryven_llm_nodes.importing.plan import Drawing, Made
from ryven_llm_nodes.recipes import MODEL

ORDER: Final = (SFT, KTO, DPO, GRPO)
"""The methods, in the order in which stages follow each other."""
ANSWERS: Final = ("answer", "solution", "target", "label", "ground_truth", "final_answer")
"""The names of columns with an answer that can be compared."""
SHORT_ANSWER: Final = 24
"""Characters of an answer that a model can be asked to give exactly."""
HELD_OUT: Final = 100
"""Rows from which on a tenth is held out."""
FEW_STEPS: Final = 200


@dataclass(frozen=True)
class Kind:
    """What rows are good for: the ``method``, the nodes that ``prepare`` them, and a ``reward`` where it needs one.

    ``says`` is what was detected, in words.
    """

    method: Any
    says: str
    prepare: tuple[Made, ...] = ()
    reward: Made | None = None


@dataclass
class Source:
    """A data file, or a folder of them, with the kind of its rows."""

    place: str
    kind: Kind
    rows: int | None


@dataclass(frozen=True)
class Started:
    """A flow that was made for data: its ``project``, and what was detected, a line for each file."""

    project: Mapping[str, Any]
    says: tuple[str, ...]


@dataclass
class _Given:
    """What was given: data, and a model where there is one."""

    sources: list[Source] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)


def from_data(paths: Sequence[Path], folder: Path, title: str = "") -> Started:
    """The flow for the data at ``paths``, for a flow file in ``folder``; a folder with a model is what is trained.

    Raises FlowError where something of it cannot be used, with all problems.
    """
    given, problems = _Given(), []
    for path in paths:
        try:
            _take(given, path, folder)
        except FlowError as error:
            problems += error.problems
    if problems:
        raise FlowError(problems)
    drawing = Drawing()
    model = _model(drawing, given.models, folder)
    says = [f"{_place(path, folder)}: a model" for path in given.models]
    for method in ORDER:
        sources = [source for source in given.sources if source.kind.method is method]
        if sources:
            says += [f"{source.place}: {source.kind.says}" for source in sources]
            model = _stage(drawing, model, sources)
    if given.sources:
        for kind in (SaveModel, ExportScript):
            drawing.wire(model, f"{drawing.add(kind, {})}.model")
    return Started(drawing.project(title or paths[0].stem or "flow"), tuple(says))


def _take(given: _Given, path: Path, folder: Path) -> None:
    if is_model(path):
        given.models.append(path)
    else:
        given.sources.append(source_at(path, folder))


def is_model(path: Path) -> bool:
    """Whether it is a folder with a model or an adapter, or a GGUF file."""
    if path.suffix == ".gguf":
        return path.is_file()
    return os.path.isdir(path) and any((path / name).is_file() for name in ("config.json", "adapter_config.json"))


def model_node(path: Path, folder: Path) -> Made:
    """The node that loads the model at ``path``."""
    if path.suffix == ".gguf":
        return ImportModel, {"path": _place(path.parent, folder), "gguf_file": path.name}
    kind = LoadModel if (path / "config.json").is_file() else ImportModel
    return kind, {"path": _place(path, folder)}


def data_node(path: Path, folder: Path) -> Made:
    """The node that loads the rows at ``path``."""
    return LoadDataset, {"path": _place(path, folder)}


def _place(path: Path, folder: Path) -> str:
    """``path`` as the flow names it: relative where it lies below the folder of the flow, else absolute."""
    full, root = path.resolve(), folder.resolve()
    return f"./{full.relative_to(root).as_posix()}" if full.is_relative_to(root) else str(full)


def _model(drawing: Drawing, models: Sequence[Path], folder: Path) -> str:
    made = model_node(models[0], folder) if models else (LoadModel, {"path": MODEL})
    return drawing.add(*made, "base")


# Rows


def source_at(path: Path, folder: Path) -> Source:
    """The data at ``path`` with the kind of its rows. Raises FlowError where that cannot be told."""
    place = _place(path, folder)
    if not os.path.exists(path):
        raise _refused(path, f"does not exist; give a {ENDINGS} file, a folder with such files, or a model.")
    loading = Loading(NodeContext(LoadDataset, "rows", {"path": place}, {}, folder))
    try:
        look, columns = loading.first, loading.columns or loading.first.columns
        files = loading.files() or loading.files_of_folder
        if look.undecodable:
            raise _refused(path, f"{look.undecodable}; save it as UTF-8.")
        rows = first_rows(files[0], look, loading.field) if files and not loading.saved else []
        counts = [count_rows(file, look, loading.field) for file in files]
    except (*UNREADABLE, TooManyFiles) as error:
        raise _refused(path, f"cannot be read: {error}; correct the file.") from error
    if not columns:
        raise _refused(path, f"holds no rows that can be read; give a {ENDINGS} file, or a folder with such files.")
    count = sum(counts) if counts and None not in counts else None  # type: ignore[arg-type]
    return Source(place, kind_of(columns, rows, path), count)


def kind_of(columns: Sequence[str], rows: Sequence[Row], path: Path) -> Kind:
    """What rows with such ``columns`` are good for; ``rows`` are the first of them. Raises FlowError for no method."""
    there, names = set(columns), usual_names(columns)
    if {"chosen", "rejected"} <= set(names):
        return _pairs(columns, names)
    if {"prompt", "completion", "label"} <= set(names) and _is_truth(row.get("label") for row in rows):
        made = () if {"prompt", "completion"} <= there else ((ConvertFormat, {"target": "unpaired preference"}),)
        return Kind(KTO, "completions with a label, for KTO", made)
    if "conversations" in there:
        return Kind(SFT, "ShareGPT conversations, for SFT", ((ConvertFormat, {"target": "language modeling"}),))
    if "messages" in there:
        return Kind(SFT, "conversations, for SFT")
    if "prompt" in names:
        return _prompts(columns, names, rows)
    if "text" in there or "input_ids" in there:
        return Kind(SFT, "plain text, for SFT" if "text" in there else "token ids, for SFT")
    found = ", ".join(map(repr, columns))
    wanted = "messages, text, prompt and completion, or prompt, chosen and rejected"
    raise _refused(
        path, f"has the columns {found}, which no method uses; rename them to {wanted} in a Map Columns node."
    )


def _pairs(columns: Sequence[str], names: Mapping[str, str]) -> Kind:
    """Preference pairs; those of a format of its own are converted."""
    is_plain = {"prompt", "chosen", "rejected"} <= set(columns) and source_of(columns) == "columns"
    made: tuple[Made, ...] = () if is_plain else ((ConvertFormat, {"target": "preference"}),)
    return Kind(DPO, "preference pairs, for DPO", made)


def _prompts(columns: Sequence[str], names: Mapping[str, str], rows: Sequence[Row]) -> Kind:
    """Prompts with an answer that a model can give exactly are for GRPO, with a longer one for SFT."""
    answer = next((name for name in ANSWERS if name in columns), "")
    is_exact = bool(answer) and "completion" not in columns and _are_short(rows, answer)
    if is_exact or "completion" not in names:
        rename: tuple[Made, ...] = ()
        if names["prompt"] != "prompt":
            rename = ((MapColumns, {"rename": {names["prompt"]: "prompt"}}),)
        if not is_exact:
            return Kind(GRPO, "prompts, for GRPO: write what is rewarded", rename, (RewardFunction, {}))
        reward: Made = (ExactMatch, {"column": answer})
        return Kind(GRPO, f"prompts with short answers in {answer!r}, for GRPO", rename, reward)
    if {"prompt", "completion"} <= set(columns):
        return Kind(SFT, "prompts with completions, for SFT")
    converted = source_of(columns)
    return Kind(SFT, f"prompts with answers (format {converted}), for SFT", ((ConvertFormat, {}),))


def _are_short(rows: Iterable[Row], column: str) -> bool:
    lengths = [len(str(row.get(column, ""))) for row in rows]
    return bool(lengths) and median(lengths) <= SHORT_ANSWER


def _is_truth(values: Iterable[Any]) -> bool:
    """Whether all are true or false, as text too."""
    return all(isinstance(value, bool) or str(value).lower() in ("true", "false") for value in values)


def _refused(path: Path, message: str) -> FlowError:
    return FlowError([Problem(message, node=shown(str(path)).strip("'"))])


# Stages


def _stage(drawing: Drawing, model: str, sources: Sequence[Source]) -> str:
    """A stage on the rows of ``sources``; returns its name."""
    kind = sources[0].kind
    ends = [drawing.chain("", [(LoadDataset, {"path": source.place}), *source.kind.prepare]) for source in sources]
    rows = drawing.concatenated(ends)
    counts = [source.rows for source in sources]
    count = sum(counts) if None not in counts else None  # type: ignore[arg-type]
    is_split = kind.method is not GRPO and count is not None and count >= HELD_OUT
    stage = drawing.add(kind.method, fitting_settings(kind.method, count, is_split))
    drawing.wire(model, f"{stage}.model")
    if is_split:
        split = drawing.add(Split, {})
        drawing.wire(rows, f"{split}.dataset")
        drawing.wire(f"{split}.train", f"{stage}.dataset")
        drawing.wire(f"{split}.test", f"{stage}.eval_dataset")
    else:
        drawing.wire(rows, f"{stage}.dataset")
    if kind.reward is not None:
        drawing.wire(drawing.add(*kind.reward), f"{stage}.reward")
    return stage


def fitting_settings(method: type[LLMNode], rows: int | None, is_split: bool = False) -> dict[str, JSON]:
    """Settings that fit ``rows`` rows: enough steps to learn from few, one pass over many."""
    if rows is None:
        return {"num_train_epochs": 1.0, "warmup_steps": 0.1}
    trained = max(math.floor(rows * 0.9) if is_split else rows, 1)
    settings: dict[str, JSON] = {"num_train_epochs": 3.0 if trained <= 5000 else 1.0, "warmup_steps": 0.1}
    parameter = method.all_parameters()["per_device_train_batch_size"]
    batch = parameter.default
    if method is GRPO:
        settings["num_train_epochs"] = 1.0
        settings["max_completion_length"] = 128
    elif trained < 8 * batch:
        batch = settings["per_device_train_batch_size"] = max(2 ** int(math.log2(max(trained // 8, 1))), 2)
    if trained * settings["num_train_epochs"] / batch < FEW_STEPS:
        settings["logging_steps"] = 1.0
    return settings
