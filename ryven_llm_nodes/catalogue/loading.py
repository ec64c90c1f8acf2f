"""How a dataset is loaded: the call of ``datasets`` for files, for a folder, or for a dataset of the Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from glob import has_magic
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.beside import files_below
from ryven_llm_nodes.catalogue.cell import RUNTIME, call, layout, literal
from ryven_llm_nodes.catalogue.columns import UNREADABLE, is_there, look_at, matches
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.places import is_local, location_expression, path_expression, resolve
from ryven_llm_nodes.catalogue.reading import BUILDERS, UTF8, Look, ending_of, look

MOST_LOOKED_AT: Final = 100
"""Files whose first rows are read, to see whether all have the same columns."""
TRUTH: Final = ("true", "false")
LABEL: Final = "label"
"""TRL's only column that is neither text nor a conversation."""


@dataclass(frozen=True)
class Loading:
    """What a node loads; ``expression`` evaluates to it, with ``imports``."""

    context: NodeContext

    @cached_property
    def paths(self) -> list[str]:
        """The locations, as typed: one, or several files and patterns."""
        given = self.context["path"]
        return list(given) if isinstance(given, list) else [given]

    @property
    def root(self) -> Path:
        """The folder that relative paths are looked up in."""
        return self.context.root

    @cached_property
    def ending(self) -> str:
        """The ending of its files, which tells their format; empty for a folder and for the Hub."""
        endings = list(dict.fromkeys(map(ending_of, self.paths)))
        return endings[0] if endings and all(endings) else ""

    @property
    def builder(self) -> str:
        """The builder of ``datasets`` for its files, or for those of a folder where all have one format."""
        return BUILDERS.get(self.ending or self._ending_of_folder, "")

    @cached_property
    def _ending_of_folder(self) -> str:
        files = self.files_of_folder
        endings = {BUILDERS[ending_of(file.name)]: ending_of(file.name) for file in files}
        return next(iter(endings.values())) if len(endings) == 1 else ""

    @cached_property
    def files_of_folder(self) -> list[Path]:
        """The data files in the folder that is named, if one is."""
        place = resolve(self.paths[0], self.root) if len(self.paths) == 1 else None
        below = files_below(place) if place is not None and os.path.isdir(place) else ()
        return [file for file in below if ending_of(file.name)]

    @cached_property
    def saved(self) -> str:
        """``dataset`` or ``splits`` where the folder was written by ``save_to_disk``, else nothing."""
        if not self.is_folder:
            return ""
        folder = resolve(self.paths[0], self.root)
        if os.path.isfile(folder / "dataset_dict.json"):
            return "splits"
        is_dataset = all(os.path.isfile(folder / name) for name in ("state.json", "dataset_info.json"))
        return "dataset" if is_dataset else ""

    @cached_property
    def looks(self) -> list[Look]:
        """What the first of its files tell."""
        options = {"encoding": self.context["encoding"], "separator": self.context["separator"]}
        if self.ending:
            options["key"] = self.context["field"]
            return [found for path in self.paths for found in look_at(path, self.root, MOST_LOOKED_AT, **options)]
        try:
            return [look(file, **options) for file in self.files_of_folder[:1] if self.builder]
        except UNREADABLE:
            return []

    @property
    def first(self) -> Look:
        """What the first of its files tells."""
        return self.looks[0] if self.looks else Look()

    @cached_property
    def field(self) -> str:
        """The key that the rows of a JSON file lie under: as it was set, or the only one that holds rows."""
        under = self.first.under
        return self.context["field"] or (under[0] if len(under) == 1 else "")

    @property
    def is_literal(self) -> bool:
        """Whether the JSON reader of ``datasets`` would change values, or cannot read all files together."""
        differ = len({frozenset(found.columns or ()) for found in self.looks}) > 1
        return (
            self.builder == "json"
            and bool(self.ending)
            and (bool(self.field) or differ or any(found.is_literal for found in self.looks))
        )

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns, as far as they are known before anything is loaded."""
        if self.saved:
            return self._saved_columns
        if self.is_literal and all(found.columns for found in self.looks):
            return tuple(dict.fromkeys(name for found in self.looks for name in found.columns or ()))
        return self.first.columns if self.ending else None

    @property
    def _saved_columns(self) -> tuple[str, ...] | None:
        folder = resolve(self.paths[0], self.root)
        place = folder / self.context["split"] if self.saved == "splits" else folder
        try:
            return tuple(json.loads((place / "dataset_info.json").read_text(encoding="utf-8"))["features"])
        except (OSError, ValueError, LookupError, TypeError):
            return None

    # The call

    @property
    def imports(self) -> tuple[str, ...]:
        """The import statements of the expression."""
        return (*self._own_imports, *(("from glob import escape",) if "escape(" in self._places else ()))

    @property
    def _own_imports(self) -> tuple[str, ...]:
        if self.saved:
            return ("from datasets import load_from_disk",)
        if self.is_literal:
            return (f"from {RUNTIME}.reading import read_json",)
        names = "Features, Value, load_dataset" if self._features else "load_dataset"
        return (f"from datasets import {names}",)

    @property
    def expression(self) -> str:
        """The call that loads the dataset."""
        split = literal(self.context["split"])
        if self.saved:
            loaded = call("load_from_disk", path_expression(self.paths[0]))
            return f"{loaded}[{split}]" if self.saved == "splits" else loaded
        if self.is_literal:
            given = {"field": self.field, "encoding": "" if self.first.encoding == UTF8 else self.first.encoding}
            return call("read_json", self._places, **{name: literal(value) for name, value in given.items() if value})
        if self.ending:
            return call("load_dataset", literal(self.builder), data_files=self._places, **self._options, split=split)
        place = location_expression(self.paths[0], self.root)
        config = [literal(self.context["config"])] if self.context["config"] else []
        given = {"revision": literal(self.context["revision"])} if self.context["revision"] else {}
        streaming = {"streaming": "True"} if self.context["streaming"] else {}
        return call("load_dataset", place, *config, split=split, **self._options, **given, **streaming)

    @cached_property
    def _places(self) -> str:
        """Its files and patterns as one expression."""
        if not self.ending:
            return ""
        places = [self._place(path) for path in self.paths]
        return places[0] if isinstance(self.context["path"], str) else layout("[", places, "]")

    def _place(self, path: str) -> str:
        """A file whose name looks like a pattern is escaped: ``datasets`` would look for what it matches."""
        text = path_expression(path)
        return f"escape({text})" if has_magic(path) and is_there(path, self.root) else text

    @cached_property
    def _options(self) -> Mapping[str, str]:
        """What the builder is told so that text stays text."""
        if self.builder == "csv":
            separator = {"sep": literal(self.first.separator)} if self.first.separator != "," else {}
            features = {"features": self._features} if self._features else {}
            return {**separator, **self._encoding, **features, "keep_default_na": "False"}
        return self._encoding if self.builder == "text" else {}

    @property
    def _encoding(self) -> Mapping[str, str]:
        return {"encoding": literal(self.first.encoding)} if self.first.encoding != UTF8 else {}

    @cached_property
    def _features(self) -> str:
        """The types of the columns of CSV files: text, but those that were given another, and a label."""
        columns = self.first.columns
        if self.builder != "csv" or not columns or len(set(columns)) < len(columns):
            return ""
        types = {name: self.context["types"].get(name, self._usual_type(name)) for name in columns}
        items = (f"{literal(name)}: Value({literal(kind)})" for name, kind in types.items())
        return f"Features({layout('{', items, '}')})"

    def _usual_type(self, column: str) -> str:
        is_truth = column == LABEL and self.first.first.get(LABEL, "").lower() in TRUTH
        return "bool" if is_truth else "string"

    def files(self) -> list[Path]:
        """The files that are named, in their order. Raises TooManyFiles."""
        return list(dict.fromkeys(file for path in self.paths for file in matches(path, self.root)))

    @property
    def is_folder(self) -> bool:
        """Whether one folder is named."""
        return len(self.paths) == 1 and os.path.isdir(resolve(self.paths[0], self.root))

    @property
    def is_of_hub(self) -> bool:
        """Whether it is a dataset of the Hub."""
        return not self.ending and not self.saved and not is_local(self.paths[0], self.root)

    def missing(self) -> Iterator[str]:
        """Those of its local locations where nothing is."""
        for path in self.paths:
            if (ending_of(path) or is_local(path, self.root)) and not matches(path, self.root) and not self.is_folder:
                yield path
