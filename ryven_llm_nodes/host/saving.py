"""Saves projects atomically, and keeps the previous version."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import LLMNodesError, one_line
from ryven_llm_nodes.host.annotations import stored
from ryven_llm_nodes.program.annotations import KEY as ANNOTATIONS
from ryven_llm_nodes.program.carried import ROOT
from ryven_llm_nodes.program.flow import live_launch
from ryven_llm_nodes.program.launch.settings import KEY
from ryven_llm_nodes.program.mending import LAYOUT
from ryven_llm_nodes.program.project import relative_root
from ryven_llm_nodes.system.files import write_whole


def save_project(window: Any, path: Path, root: Path | None = None, without: Collection[str] = ()) -> None:
    """Saves the project of ``window`` to ``path``; its relative paths still lead to files under ``root``.

    Default: the folder of ``path``. The flows called as in ``without`` are left out. Raises LLMNodesError; the file at
    ``path`` is then unchanged.
    """
    try:
        project = contents(window)
    except Exception as error:  # any error that a node raises
        raise LLMNodesError(one_line(f"cannot save {path}: {error}; the file is unchanged.")) from error
    flows = {title: flow for title, flow in project["flows"].items() if title not in without}
    store_project({**project, "flows": flows}, path, root)


def store_project(project: Mapping[str, Any], path: Path, root: Path | None = None) -> None:
    """Writes ``project`` to ``path``; see :func:`save_project`. The previous version stays as ``<name>.bak``."""
    folder = Path(os.path.realpath(path)).parent
    place = relative_root(root or folder, folder)
    carried = {} if place == "." else {ROOT: place}
    write_whole(path, json.dumps({**project, **carried}, indent=4), keep=True)


def contents(window: Any) -> dict[str, Any]:
    """The project of ``window``, as Ryven saves it, without the layout of the window. Raises what a node raises.

    ryven 3.5.0 removes the file first and serializes afterwards (gui/main_window.py:571-580), so that an error in
    between loses the project: it only writes to a temporary file.
    """
    # if an error keeps the file open, Windows cannot remove it
    with tempfile.TemporaryDirectory(prefix="ryven-llm-", ignore_cleanup_errors=True) as folder:
        file = Path(folder, "flow.json")
        window.save_project(str(file))
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    views = window.session_gui.flow_views
    further = {flow.title: _further(flow, views.get(flow)) for flow in window.core_session.flows}
    for title, flow in found["flows"].items():
        flow |= further.get(title, {})
    return {key: value for key, value in found.items() if key not in LAYOUT}


def _further(flow: Any, view: Any) -> dict[str, Any]:
    """What Ryven does not know of a flow: its launch settings, and what lies on its canvas next to nodes."""
    kept = {KEY: live_launch(flow).to_data(), ANNOTATIONS: stored(view) if view is not None else {}}
    return {key: value for key, value in kept.items() if value}


def leave_out_saving(window: Any) -> None:
    """Takes Ryven's own Save Project out of the File menu, and its keys out of the window, which has others.

    ryven 3.5.0 asks for a name every time, and writes ``./.json`` when that is cancelled
    (gui/main_window.py:412-422); two shortcuts with one key are none at all for Qt.
    """
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QShortcut

    window.ui.actionSave_Project.triggered.disconnect()
    window.ui.actionSave_Project.setVisible(False)
    for shortcut in window.findChildren(QShortcut, options=Qt.FindChildOption.FindDirectChildrenOnly):
        shortcut.setEnabled(False)
