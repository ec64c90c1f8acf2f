"""The flow embedded in a model's folder: what made it and, for a saved model, whether it is up to date."""

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
"""Where the flow embedded in a model's folder holds the key of the step that saved it."""
FILES: Final = "files"
"""Where it lists the files that were there then; the folder is the user's, so their content is not read."""


def carry_flow(program: Program, step: Step, folder: Path, key: Key, is_saved: bool = False) -> None:
    """Writes the flow that makes the model of ``step``, which has ``key``, into its ``folder``. Raises UsageError.

    ``is_saved``: the model is there, and its files are noted.
    """
    if (folder / CARRIED_FILE).exists() and _carried(folder).get(COPY) is not True:
        return  # the user's own project, next to which the model is saved
    flow = project_of(program.graph.upstream([step.name]), folder)
    files = {FILES: to_json(manifest_beside(folder))} if is_saved else {}
    write_project({**flow, MADE_WITH: key.digest, **files}, folder / CARRIED_FILE)


def carries(folder: Path, key: Key) -> bool:
    """Whether ``folder`` holds an unchanged model that was saved there by a step of ``key``."""
    flow = _carried(folder)
    if flow.get(MADE_WITH) != key.digest:
        return False
    if FILES not in flow:  # saved by an earlier version
        return (folder / "config.json").is_file()
    try:
        return not damage_to(folder, from_json(flow[FILES]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def forget_flow(folder: Path) -> None:
    """Removes the flow of the model in ``folder``, which is about to be overwritten."""
    if MADE_WITH in _carried(folder):
        (folder / CARRIED_FILE).unlink()


def _carried(folder: Path) -> Mapping[str, Any]:
    try:
        flow = json.loads((folder / CARRIED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return flow if isinstance(flow, dict) else {}
