"""The windows Run History and Cached Stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDialog, QWidget

from ryven_llm_nodes.host.session import default_output_dir

if TYPE_CHECKING:
    from ryven_llm_nodes.gui.history.after import Afterwards
    from ryven_llm_nodes.gui.history.kept_stages_window import KeptWindow
    from ryven_llm_nodes.gui.history.runs_window import RunsWindow


class HistoryWindows:
    """Each window is created when it is first shown; ``open_path`` opens the flow of a run.

    ``after`` gives what can be done with the models of a run.
    """

    def __init__(
        self, window: QWidget, open_path: Callable[[Path], Any], after: Callable[[], Afterwards | None] = lambda: None
    ) -> None:
        self._window, self._open_path, self._after = window, open_path, after
        self.runs: RunsWindow | None = None
        self.kept: KeptWindow | None = None

    def show_runs(self) -> None:
        """Shows the run history."""
        from ryven_llm_nodes.gui.history.runs_window import RunsWindow

        if self.runs is None:
            self.runs = RunsWindow(_outputs(), self._open_path, self._window, self._after())
        _to_front(self.runs)

    def show_kept(self) -> None:
        """Shows the cached stages."""
        from ryven_llm_nodes.gui.history.kept_stages_window import KeptWindow

        if self.kept is None:
            self.kept = KeptWindow(_outputs(), self._window)
        _to_front(self.kept)

    def refresh(self) -> None:
        """Refreshes the open windows."""
        for window in (self.runs, self.kept):
            if window is not None and window.isVisible():
                window.refresh()


def _outputs() -> Path:
    return default_output_dir("").parent.absolute()


def _to_front(window: QDialog) -> None:
    window.show()
    window.raise_()
    window.activateWindow()
