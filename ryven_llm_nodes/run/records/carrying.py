"""The flow that a model carries in its folder: what made it, and of a saved one, whether it is there already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.program.carried import CARRIED_FILE, COPY
from ryven_llm_nodes.program.project import project_of, write_project
from ryven_llm_nodes.run.store.keys import Key
from ryven_llm_nodes.run.store.manifest import damage_to, from_json, manifest_beside, to_json

MADE_WITH: Final = "key"
"""Where the flow that a model carries tells the key of the step that saved it."""
FILES: Final = "files"
"""Where it tells which files lay there then: those of a folder of the user's, so their content is not read."""


def carry_flow(program: Program, step: Step, folder: Path, key: Key, is_saved: bool = False) -> None:
    """Writes the flow that makes the model of ``step``, which has ``key``, into its ``folder``. Raises UsageError.

    ``is_saved``: the model lies there, and its files are noted.
    """
    if (folder / CARRIED_FILE).exists() and _carried(folder).get(COPY) is not True:
        return  # somebody's own work, beside which the model is saved
    flow = project_of(program.graph.upstream([step.name]), folder)
    files = {FILES: to_json(manifest_beside(folder))} if is_saved else {}
    write_project({**flow, MADE_WITH: key.digest, **files}, folder / CARRIED_FILE)


def carries(folder: Path, key: Key) -> bool:
    """Whether ``folder`` holds a model that was saved there by a step of ``key``, as it was saved."""
    flow = _carried(folder)
    if flow.get(MADE_WITH) != key.digest:
        return False
    if FILES not in flow:  # an earlier version has saved it
        return (folder / "config.json").is_file()
    try:
        return not damage_to(folder, from_json(flow[FILES]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def forget_flow(folder: Path) -> None:
    """Removes the flow of the model in ``folder``, which is about to be written over."""
    if MADE_WITH in _carried(folder):
        (folder / CARRIED_FILE).unlink()


def _carried(folder: Path) -> Mapping[str, Any]:
    try:
        flow = json.loads((folder / CARRIED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return flow if isinstance(flow, dict) else {}
