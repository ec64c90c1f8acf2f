"""Saves projects whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ryven_llm_nodes.errors import LLMNodesError, UsageError


def save_project(window: Any, path: Path) -> None:
    """Saves the project of ``window`` to ``path``. Raises LLMNodesError; what was at ``path`` is then as it was.

    ryven 3.5.0 removes the old file first and serializes afterwards (gui/main_window.py:533-548), so that an error in
    between loses the project. Here Ryven writes to a file beside it, which replaces the old one once it is complete.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".json")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another place.") from error
    os.close(handle)
    try:
        window.save_project(temporary)
        json.loads(Path(temporary).read_text(encoding="utf-8"))
        os.replace(temporary, path)
    except Exception as error:
        Path(temporary).unlink(missing_ok=True)
        raise LLMNodesError(f"cannot save {path}: {error}; the file is as it was.") from error


def take_over_saving(window: Any, save: Any) -> None:
    """Lets Ctrl+S and File > Save Project call ``save``.

    ryven 3.5.0 asks for a name every time, and writes ``./.json`` when that is cancelled
    (gui/main_window.py:412-422).
    """
    from qtpy.QtGui import QKeySequence
    from qtpy.QtWidgets import QShortcut

    action = window.ui.actionSave_Project
    action.triggered.disconnect()
    action.triggered.connect(lambda: save())
    for shortcut in window.findChildren(QShortcut):
        if shortcut.key() == QKeySequence(QKeySequence.StandardKey.Save) and shortcut.parent() is window:
            shortcut.setEnabled(False)
    action.setShortcut(QKeySequence(QKeySequence.StandardKey.Save))
