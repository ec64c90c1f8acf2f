"""The key of a stage: everything its result depends on. Equal keys, equal weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from platform import python_version_tuple
from typing import Any, Final

from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.imports import Imports
from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.program.runtime_source import excerpts
from ryven_llm_nodes.run.store.inputs import digests_of

PACKAGES: Final = ("torch", "transformers", "trl", "datasets", "accelerate", "peft")
LENGTH: Final = {"max_steps", "num_train_epochs"}
"""The settings that say how long to train."""
PARTS: Final = ("settings", "inputs", "files", "versions")


@dataclass(frozen=True)
class Key:
    """What a step depends on, in parts that can be named when one differs; its digest identifies all of them.

    ``settings`` are the parameters that are not the defaults, ``text`` the digest of the step's cell with names
    normalised and of the runtime source that it uses, ``inputs`` the digest of what is wired to each port, ``files``
    the content of local files, ``versions`` those of Python and the libraries.
    """

    settings: Mapping[str, Any]
    text: str
    inputs: Mapping[str, str]
    files: Mapping[str, str]
    versions: Mapping[str, str]
    first_part: Key | None = None
    """The key of the same training without ``extra_steps``, if it has some: that cached stage is continued."""

    @property
    def digest(self) -> str:
        """The sha256 of all parts."""
        return _sha(json.dumps(self.parts, sort_keys=True, default=repr))

    @property
    def parts(self) -> dict[str, Any]:
        """The parts as plain data."""
        return {"text": self.text} | {name: dict(getattr(self, name)) for name in PARTS}

    def differences(self, before: Mapping[str, Any]) -> Iterator[str]:
        """What differs from ``before`` (the ``parts`` of another key), in words."""
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

    def why_retrained(self, before: Mapping[str, Any]) -> str:
        """Why a stage is retrained and one with the parts ``before`` not reused; for a longer one, the alternative."""
        differences = "; ".join(self.differences(before))
        changed = {name for name, _, _ in _changes(self.settings, before.get("settings", {}))}
        same = all(self.parts[name] == before.get(name) for name in ("inputs", "files", "versions"))
        if not same or not changed or not changed <= LENGTH:
            return differences
        retrained = f"{differences}: retrained, since its learning-rate schedule differs"
        return f"{retrained}; to continue a finished stage, keep its length and set extra_steps"


def _changes(now: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*now, *old}):
        if now.get(name) != old.get(name):
            yield name, now.get(name), old.get(name)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def keys_of(program: Program, endings: Callable[[str, Key], str] = lambda step, key: "") -> dict[str, Key]:
    """The key of every step of ``program``. Reads local files in full; loads no library.

    ``endings`` tells for a step and its key where its training was ended early: what depends
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
    first = step.node.first_part(step.given)
    settings = {n: v for n, v in step.meaning.items() if n in defaults and v != defaults[n].default}
    if program.cells[step.name].config:
        settings |= _shared(program.graph.launch.of(step.name), step.node.elastic(program.context(step)))
    return Key(
        settings=settings,
        text=_normal_text(program, step),
        inputs={port: f"{outcomes[wire.step]}.{wire.port}" for port, wire in step.wires.items()},
        files=digests_of(step.node.fingerprint(program.context(step))),
        versions=versions(),
        first_part=_key(program, replace(step, given=first), outcomes) if first is not None else None,
    )


def _shared(launch: Launch, is_elastic: bool) -> dict[str, Any]:
    """What of a launch the weights depend on: processes share an optimizer step, and add in another order.

    Rounding alone is no other result: where a global batch is fixed, any number of processes may continue.
    """
    if launch.total == 1 or (is_elastic and launch.strategy == "ddp"):
        return {}
    return {"processes": launch.total} | ({"strategy": launch.strategy} if launch.strategy != "ddp" else {})


def _normal_text(program: Program, step: Step) -> str:
    """The digest of a cell with the user's node names normalised."""
    inputs = {port: program.value(step, port).called(f"_{port}") for port in step.wires}
    stem = step.node.stem
    cell = step.node.cell(replace(program.context(step), name=stem, inputs=inputs))
    runtime = (excerpt.code for excerpt in excerpts(Imports(cell.imports).runtime))
    return _sha("\n".join((cell.definition, cell.statement, *runtime)))


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
