"""What the LLM menu shows of runs that were: their records, and the models that they have kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QDialog

from ryven_llm_nodes.gui.history.kept_stages_window import KeptWindow
from ryven_llm_nodes.gui.history.runs_window import RunsWindow
from ryven_llm_nodes.host.session import default_output_dir


class RecordWindows:
    """Adds its actions to the menu of ``shell``; each window is made when it is first shown."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.runs: RunsWindow | None = None
        self.kept: KeptWindow | None = None
        menu = shell.toolbar.menu
        menu.addSeparator()
        self.runs_action = menu.addAction("Past Runs...", lambda: self.show_runs())
        self.runs_action.setToolTip("Look at runs that were, compare two, open the flow of one")
        self.kept_action = menu.addAction("Kept Models...", lambda: self.show_kept())
        self.kept_action.setToolTip("What runs have kept to be used again, and how much of the disk it takes")
        shell.runs.finished.connect(lambda *_: self.refresh())

    def show_runs(self) -> None:
        """Shows the runs that were."""
        if self.runs is None:
            self.runs = RunsWindow(_outputs(), self._shell.project_menu.open_path, self._shell.window)
        _to_front(self.runs)

    def show_kept(self) -> None:
        """Shows what is kept."""
        if self.kept is None:
            self.kept = KeptWindow(_outputs(), self._shell.window)
        _to_front(self.kept)

    def refresh(self) -> None:
        """Lets the windows that are open look again."""
        for window in (self.runs, self.kept):
            if window is not None and window.isVisible():
                window.refresh()


def _outputs() -> Path:
    return default_output_dir("").parent.absolute()


def _to_front(window: QDialog) -> None:
    window.show()
    window.raise_()
    window.activateWindow()
