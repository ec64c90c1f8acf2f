"""Finds what in a flow would run code, fetch code, send data away, or write outside the folder of its run.

A flow may be untrusted. Nothing here runs, loads or fetches anything: local files are read, to be shown.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.beside import modules_of
from ryven_llm_nodes.catalogue.files import FILE_FIELDS
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.catalogue.places import is_local, leaves, resolve
from ryven_llm_nodes.errors import Problem, printable, shown
from ryven_llm_nodes.program.graph import Graph, Step
from ryven_llm_nodes.run.trust.reach import ATTENTION, DETAILS, REACHES, reach

LARGEST_SHOWN: Final = 2**20
MOST_FILES: Final = 1000


@dataclass(frozen=True)
class Foreign:
    """Something in a flow that its user should review before it runs.

    ``what`` says in a phrase what it does, ``content`` is the code or the value itself, ``language`` how to
    highlight it, and ``scope`` what an answer is limited to: a place to write to is allowed to one flow, not to all.
    """

    step: str
    label: str
    parameter: str
    what: str
    content: str
    language: str = "text"
    scope: str = ""

    @property
    def digest(self) -> str:
        """The sha256 that identifies it in the store."""
        text = json.dumps([self.what, self.content, self.scope])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def text(self) -> str:
        """The content as it is shown, with every character visible."""
        return "\n".join(map(printable, self.content.expandtabs(4).split("\n")))

    def problem(self, remedy: str) -> Problem:
        """Why the flow is not run, and what to do."""
        return Problem(f"{self.what}, which you have not allowed yet; {remedy}", self.label, self.parameter, self.step)


def foreign_code(graph: Graph, output_dir: Path | None = None) -> list[Foreign]:
    """Everything in ``graph`` that its user should review, in the order of its steps; for any values.

    With ``output_dir`` also files there that a run would overwrite although no run has made them.
    """
    return [found for step in graph.steps for found in _of_step(step, graph, output_dir)]


def _of_step(step: Step, graph: Graph, output_dir: Path | None) -> Iterator[Foreign]:
    parameters = step.node.all_parameters()
    essential = {parameter.name for parameter in step.node.parameters}
    place = step.node.writes
    defaults = {place: parameters[place].default} if place else {}
    for name, value in {**defaults, **step.given}.items():
        if name == "trust_remote_code" and value:
            yield _remote_code(step, graph.root)
        elif name == "attn_implementation" and not (isinstance(value, str) and value in ATTENTION):
            yield Foreign(step.name, step.label, name, "loads an attention kernel of this name", _written(value))
        elif name == place:
            yield from _writes(step, name, value, graph, output_dir)
        elif name in parameters and parameters[name].widget == "code":
            code = _with_modules(python(value), graph.root)
            yield Foreign(step.name, step.label, name, "runs Python code of its own", code, "python")
        elif name in parameters and (name not in essential or name in FILE_FIELDS or name in REACHES):
            yield from _field(step, parameters[name], value, graph.root)


def python(code: JSON) -> str:
    """``code`` with the line ends that it is run with."""
    text = code if isinstance(code, str) else _written(code)
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _with_modules(code: str, root: Path) -> str:
    """``code`` and, if it imports modules next to the flow file, their text."""
    files = {name: file for module in modules_of(code, root).values() for name, file in module.items()}
    texts = (f"# {name}\n{_read(file)}" for name, file in files.items() if file.suffix == ".py")
    return "\n\n".join([code, *texts])


def _written(value: JSON) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return shown(value)


def _field(step: Step, field: Parameter, value: JSON, root: Path) -> Iterator[Foreign]:
    if what := reach(field, value):
        content = _with_files(value, root) if field.name in FILE_FIELDS else _written(value)
        details = (
            f"{name}: {_written(step.given[name])}" for name in DETAILS.get(field.name, ()) if name in step.given
        )
        yield Foreign(step.name, step.label, field.name, what, "\n".join([content, *details]))


def _with_files(value: JSON, root: Path) -> str:
    """The value and, if it leads to a file or to a folder with a chat template, its text."""
    place = str(resolve(value, root)) if isinstance(value, str) else ""
    files = [place, *(os.path.join(place, name) for name in ("chat_template.jinja", "tokenizer_config.json"))]
    return "\n\n".join([_written(value), *(_read(Path(file)) for file in files if place and _is_file(file))])


# Code that comes with a model


def _remote_code(step: Step, root: Path) -> Foreign:
    path, revision = _written(step.given.get("path", "")), _written(step.given.get("revision", ""))
    if is_local(path, root):
        what, content = "runs the Python code of this folder", _code_of(resolve(path, root))
        return Foreign(step.name, step.label, "trust_remote_code", what, content, "python")
    what = "fetches this repository from the Hub, and runs its Python code"
    return Foreign(step.name, step.label, "trust_remote_code", what, f"{path} ({revision or 'main branch'})")


def _code_of(folder: Path) -> str:
    """Every Python file in ``folder``, and the settings that name code of other repositories."""
    named, code = [], []
    for file in _files_in(folder):
        if file.suffix == ".py":
            code.append(f"# {file.relative_to(folder)}\n{_read(file)}")
        elif file.suffix == ".json" and (found := _auto_map(file)):
            named.append(f"# {file.relative_to(folder)}: {found}")
    return "\n\n".join([f"# {folder}", *named, *code])


def _files_in(folder: Path) -> list[Path]:
    """The files below ``folder``, sorted; limited, since an untrusted flow may name an entire disk."""
    walk = (Path(place, name) for place, _, names in os.walk(str(folder).replace("\0", "")) for name in names)
    return sorted(file for file in islice(walk, MOST_FILES) if _is_file(str(file)))


def _auto_map(file: Path) -> str:
    try:
        data = json.loads(_read(file)) if _is_file(str(file)) else None
    except (ValueError, RecursionError):
        return ""
    found = data.get("auto_map") if isinstance(data, dict) else None
    return json.dumps(found) if found else ""


def _is_file(path: str) -> bool:
    return "\0" not in path and os.path.isfile(path)


def _read(file: Path) -> str:
    """The text of any file; of a very large one the beginning, and a summary of the rest.

    System files without a size are not read: some never end.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as data:
            text = data.read(min(size, LARGEST_SHOWN)).decode("utf-8", "replace")
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return (
        text if size <= LARGEST_SHOWN else f"{text}\n... and more: {size} bytes, last changed {file.stat().st_mtime_ns}"
    )


# Places to write to


def _writes(step: Step, name: str, value: JSON, graph: Graph, output_dir: Path | None) -> Iterator[Foreign]:
    location = _written(value)
    scope = str(graph.root / graph.source)
    if leaves(location):
        what = f"writes to {shown(location)}, outside the folder of the run"
        yield Foreign(step.name, step.label, name, what, location, scope=scope)
    elif output_dir is not None and step.node.is_others(output_dir / location):
        what = f"overwrites {shown(location)}, which no run has made"
        yield Foreign(step.name, step.label, name, what, str((output_dir / location).absolute()), scope=scope)
