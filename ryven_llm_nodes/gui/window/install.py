"""Adds the shell to Ryven's main window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from ryven_llm_nodes.gui.window.shell import Shell


def install_shell(window: Any, path: Path | None = None) -> Shell:
    """Adds the shell to ``window``; once."""
    if getattr(window, "llm_shell", None) is None:
        window.llm_shell = Shell(window, path)
    return window.llm_shell


def install_later() -> None:
    """Adds the shell to Ryven's window as soon as that is complete: nodes are loaded while it is being built."""

    def install() -> None:
        if (window := main_window()) is not None:
            install_shell(window)

    QTimer.singleShot(0, install)


def main_window() -> Any | None:
    """The main window of Ryven, once it exists."""
    from ryven.gui.main_window import MainWindow

    app = QApplication.instance()
    windows = [w for w in (app.topLevelWidgets() if app else []) if isinstance(w, MainWindow)]
    return next((window for window in windows if hasattr(window, "nodes_list_widget")), None)
