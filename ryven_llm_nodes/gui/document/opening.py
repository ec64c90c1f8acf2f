"""Opening another project: in another window, which may replace this one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from qtpy.QtWidgets import QFileDialog, QMessageBox

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.document.one_window import OneWindow, raise_window
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.host.launch import start_another
from ryven_llm_nodes.host.opening import open_file

MOST_LINES: Final = 10
KINDS: Final = "Projects, and exported scripts (*.json *.py);;All files (*)"


class Opening:
    """Opens projects from the window of ``document``, which is then closed if it ``is_pristine``."""

    def __init__(self, document: Document, is_pristine: Callable[[], bool], one_window: OneWindow) -> None:
        self._document, self._is_pristine, self._one_window = document, is_pristine, one_window

    @property
    def is_pristine(self) -> bool:
        """Whether nothing was done in the window."""
        return self._is_pristine()

    def ask_and_open(self) -> None:
        """Asks for a project and opens it."""
        path = self._document.path
        start = str(path.parent) if path else ""
        if chosen := QFileDialog.getOpenFileName(self._document.window, "Open", start, KINDS)[0]:
            self.open_path(Path(chosen))

    def open_path(self, path: Path) -> bool:
        """Opens ``path`` in another window, which replaces this one if nothing was done here.

        It is read and scanned first: a refused file starts nothing. A file that a window shows already is not opened
        again: that window comes to the front.
        """
        if self._one_window.shows(path):
            self._one_window.wanted.emit()
            return True
        try:
            open_file(path)
            if not raise_window(path):
                start_another(path)
        except LLMNodesError as error:
            QMessageBox.warning(self._document.window, "Not opened", _first(str(error).split("\n")))
            return False
        if self._is_pristine():
            self._document.window.close()
        return True


def _first(lines: list[str]) -> str:
    """A file may have more problems than fit on a screen."""
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return "\n".join(lines[:MOST_LINES] + more)
