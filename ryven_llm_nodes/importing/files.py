"""Imports a file: tells its format, and gives the flow and what was not taken over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.errors import FlowError, Problem, UsageError, one_line, suggestion
from ryven_llm_nodes.importing import axolotl, llama_factory, trl
from ryven_llm_nodes.importing.keys import Keys
from ryven_llm_nodes.importing.places import Places
from ryven_llm_nodes.importing.plan import Plan
from ryven_llm_nodes.importing.script import from_script

LARGEST: Final = 2**20
DEEPEST: Final = 12
MOST_VALUES: Final = 20_000
"""More than any configuration has: YAML can repeat a part by a name, and so grow without end."""
WANTED: Final = "give a YAML file of TRL, Axolotl or LLaMA-Factory, or a script that this package exported"

Reader = Callable[[Keys, str, Places, str], Plan]
FORMATS: Final[Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], Reader]]] = {
    "Axolotl": (axolotl.is_axolotl, axolotl.plan),
    "LLaMA-Factory": (llama_factory.is_llama_factory, llama_factory.plan),
    "TRL": (trl.is_trl, trl.plan),
}
"""The formats, those with the most special keys first: whether a file is one, and what reads it."""


@dataclass(frozen=True)
class Imported:
    """A flow that was made from a file: its ``project``, the ``format`` of the file, and what its user has to know."""

    project: Mapping[str, Any]
    format: str
    told: tuple[Problem, ...]


def imported(path: Path, folder: Path, method: str = "") -> Imported:
    """The flow of the file at ``path``, for a flow file in ``folder``. Raises FlowError and UsageError.

    ``method`` is the command of TRL that a YAML file is for, which the file itself does not say.
    """
    if method and method not in trl.METHODS:
        known = ", ".join(trl.METHODS)
        near = suggestion(method, list(trl.METHODS))
        raise UsageError(f"--method {method}: there is no such command of TRL.{near} Commands: {known}.")
    if path.suffix == ".py":
        project, told = from_script(path, folder)
        return Imported(project, "script", tuple(told))
    given = read_yaml(path)
    for name, (fits, plan) in FORMATS.items():
        if fits(given):
            keys = Keys(given, path.name)
            places = Places((Path.cwd(), path.resolve().parent), folder)
            made = plan(keys, path.stem, places, method)
            return Imported(made.drawn(), name, tuple(keys.told))
    found = ", ".join(repr(str(key)) for key in list(given)[:5]) or "nothing"
    raise _refused(path, f"is no configuration that is known (it has {found}); {WANTED}.")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file at ``path``: plain data, of a sensible size. Raises FlowError."""
    import yaml

    try:
        if not path.is_file():
            raise _refused(path, f"{'is not a file' if path.exists() else 'does not exist'}; {WANTED}.")
        if path.stat().st_size > LARGEST:
            raise _refused(path, "is larger than 1 MB, which no configuration is.")
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refused(path, f"is not YAML ({one_line(str(error))}); {WANTED}.") from error
    if not isinstance(found, dict):
        raise _refused(path, f"holds no keys; {WANTED}.")
    if not _is_small(found):
        raise _refused(path, "holds more values, or more levels of them, than any configuration has.")
    return {str(key): _plain(value) for key, value in found.items()}


def _is_small(value: Any) -> bool:
    """Whether there are few enough values, those that are repeated by a name counted each time."""
    count, todo = 0, [(value, 0)]
    while todo:
        item, depth = todo.pop()
        count += 1
        if count > MOST_VALUES or depth > DEEPEST:
            return False
        below = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        todo += [(one, depth + 1) for one in below]
    return True


def _plain(value: Any) -> Any:
    """``value`` as JSON has it: a date, and a number that is none, as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value if isinstance(value, bool | int | float | str | type(None)) and is_finite else str(value)


def _refused(path: Path, message: str) -> FlowError:
    return FlowError([Problem(message, node=str(path))])
