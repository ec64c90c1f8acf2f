"""What the outcome of a stage depends on, as a key: equal keys, equal weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version_tuple
from typing import Any, Final

from ryven_llm_nodes.catalogue import LoadDataset, LoadModel, RewardModel
from ryven_llm_nodes.catalogue.cell import AdapterValue, DatasetValue, ModelValue, RewardPart, RewardValue, Value
from ryven_llm_nodes.catalogue.columns import matches
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.catalogue.stage import FILE_FIELDS
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.imports import Imports
from ryven_llm_nodes.program.runtime_source import excerpts

PACKAGES: Final = ("torch", "transformers", "trl", "datasets", "accelerate", "peft")
TOKENIZER: Final = (".json", ".jinja", ".model")
LENGTH: Final = {"max_steps", "num_train_epochs"}
"""The settings that say how long to train, and nothing else."""


@dataclass(frozen=True)
class Key:
    """What a step depends on, in parts that can be named when one differs; its digest stands for the whole.

    ``settings`` are the parameters that are not the defaults, ``text`` the digest of the step's cell with names
    normalised and of the runtime source that it uses, ``inputs`` the digest of what is wired to each port, ``files``
    the content of local files, ``versions`` those of Python and the libraries.
    """

    settings: Mapping[str, Any]
    text: str
    inputs: Mapping[str, str]
    files: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The sha256 of all parts."""
        return _sha(json.dumps(self.parts, sort_keys=True, default=repr))

    @property
    def parts(self) -> dict[str, Any]:
        """The parts as plain data."""
        return {name: value if isinstance(value, str) else dict(value) for name, value in vars(self).items()}

    def differences(self, before: Mapping[str, Any]) -> Iterator[str]:
        """What is not as it was in ``before`` (the ``parts`` of another key), in words."""
        for name, now, old in _changes(self.settings, before.get("settings", {})):
            was, is_now = (shown(value, 40) if value is not None else "the default" for value in (old, now))
            yield f"{name} was {was}, is {is_now}"
        for name, now, old in _changes(self.files, before.get("files", {})):
            yield f"{name} {'has changed' if now and old else 'is new' if now else 'is no longer used'}"
        yield from (f"the {name} has changed" for name, _, _ in _changes(self.inputs, before.get("inputs", {})))
        for name, now, old in _changes(self.versions, before.get("versions", {})):
            yield f"{name} was {old}, is {now}"
        if self.text != before.get("text") and self.settings == before.get("settings"):
            yield "its code has changed"

    def extends(self, before: Mapping[str, Any]) -> bool:
        """Whether this is the same stage, only trained longer, so that training can go on from its end."""
        same = all(self.parts[name] == before.get(name) for name in ("inputs", "files", "versions"))
        changed = {name for name, _, _ in _changes(self.settings, before.get("settings", {}))}
        return same and bool(changed) and changed <= LENGTH


def _changes(now: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*now, *old}):
        if now.get(name) != old.get(name):
            yield name, now.get(name), old.get(name)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def keys_of(program: Program, endings: Callable[[str, Key], str] = lambda step, key: "") -> dict[str, Key]:
    """The key of every step of ``program``. Reads local files in full; loads no library.

    ``endings`` says of a step and its key how its training ended, where that was not as its settings say: what depends
    on that model depends on this as well.
    """
    keys: dict[str, Key] = {}
    outcomes: dict[str, str] = {}
    for step in program.steps:
        keys[step.name] = _key(program, step, outcomes)
        outcomes[step.name] = keys[step.name].digest + endings(step.name, keys[step.name])
    return keys


def _key(program: Program, step: Step, outcomes: Mapping[str, str]) -> Key:
    defaults = step.node.all_parameters()
    settings = {n: v for n, v in step.meaning.items() if n in defaults and v != defaults[n].default}
    return Key(
        settings=settings,
        text=_normal_text(program, step),
        inputs={port: f"{outcomes[wire.step]}.{wire.port}" for port, wire in step.wires.items()},
        files=dict(_files(step, program.graph.root)),
        versions=versions(),
    )


def _normal_text(program: Program, step: Step) -> str:
    """The digest of a cell in which the names that a user gave to nodes do not show."""
    inputs = {}
    for port, wire in step.wires.items():
        value = program.cells[wire.step].values[wire.port]
        inputs[port] = _nameless(value, f"_{port}")
    stem = step.node.stem
    cell = step.node.cell(NodeContext(step.node, stem, step.given, inputs, program.graph.root))
    runtime = (excerpt.code for excerpt in excerpts(Imports(cell.imports).runtime))
    return _sha("\n".join((cell.definition, cell.statement, *runtime)))


def _nameless(value: Value, name: str) -> Value:
    """The same value, called after the port that it comes in by; what it depends on counts by its digest."""
    if isinstance(value, ModelValue):
        return ModelValue(name, value.init, value.revision, value.trust_remote_code)
    if isinstance(value, DatasetValue):
        return DatasetValue(name, value.columns)
    if isinstance(value, RewardValue):
        parts = (RewardPart(f"{name}_{i}", p.weight, p.imports, p.is_async) for i, p in enumerate(value.parts))
        return RewardValue(tuple(parts))
    return AdapterValue(name, value.keep)


def _files(step: Step, root: Path) -> Iterator[tuple[str, str]]:
    """The digest of every local file that a step reads by itself, not along a wire."""
    path = step.given.get("path")
    if step.node.family == "trainer":
        files = [file for name in FILE_FIELDS for file in _named_by(step.given.get(name), root)]
    elif step.node is LoadDataset and isinstance(path, str):
        files = matches(path, root) or _inside(path, root)
    elif step.node in (LoadModel, RewardModel) and isinstance(path, str):
        files = [file for file in _inside(path, root) if file.suffix in (*TOKENIZER, ".safetensors")]
    else:
        files = []
    for file in files:
        stat = file.stat()
        yield file.name, _file_digest(file, stat.st_size, stat.st_mtime_ns)


def _named_by(value: Any, root: Path) -> list[Path]:
    """The file, or the files of the tokenizer, that a field of a configuration names."""
    if not isinstance(value, str) or not is_local(value, root):
        return []
    place = resolve(value, root)
    return [place] if place.is_file() else [file for file in _inside(value, root) if file.suffix in TOKENIZER]


def _inside(path: str, root: Path) -> list[Path]:
    if not is_local(path, root):
        return []
    return sorted(file for file in resolve(path, root).glob("**/*") if file.is_file())


@lru_cache(maxsize=4096)
def _file_digest(file: Path, size: int, changed: int) -> str:
    """The sha256 of a file; read again only where size or time of change are others."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(data)


def _digest(data: Any) -> str:
    """``hashlib.file_digest`` for Python 3.10."""
    digest = hashlib.sha256()
    while block := data.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


@lru_cache
def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that train."""
    found = {"Python": ".".join(python_version_tuple()[:2])}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
