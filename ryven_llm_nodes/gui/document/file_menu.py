"""What Ryven's File menu lacks: Open, Save As, Quit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.host.launch import start_another
from ryven_llm_nodes.host.opening import open_file

MOST_LINES: Final = 10
KINDS: Final = "Projects, and scripts that carry one (*.json *.py);;All files (*)"


class ProjectMenu:
    """Adds its actions to the File menu of ``shell``'s window."""

    def __init__(self, shell: Any) -> None:
        self._shell, self._window = shell, shell.window
        save, flows = self._window.ui.actionSave_Project, self._window.ui.menuScripts.menuAction()
        self.open = self._action("Open...", "Ctrl+O", self.ask_and_open, before=save)
        self.save_as = self._action("Save Project As...", "Ctrl+Shift+S", shell.save_as, before=flows)
        self.quit = self._action("Quit", "Ctrl+Q", shell.quit, before=None)

    def _action(self, text: str, key: str, call: Callable[[], object], before: QAction | None) -> QAction:
        action = QAction(text, self._window)
        action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: call())
        self._window.ui.menuFile.insertAction(before, action)
        return action

    def ask_and_open(self) -> None:
        """Opens a project that is asked for."""
        start = str(self._shell.path.parent) if self._shell.path else ""
        if chosen := QFileDialog.getOpenFileName(self._window, "Open", start, KINDS)[0]:
            self.open_path(Path(chosen))

    def open_path(self, path: Path) -> bool:
        """Opens ``path`` in another window, which takes the place of this one where nothing was done here.

        It is read and scanned first: what is refused starts nothing.
        """
        try:
            open_file(path)
            start_another(path)
        except LLMNodesError as error:
            QMessageBox.warning(self._window, "Not opened", _first(str(error).split("\n")))
            return False
        if self._shell.pristine:
            self._window.close()
        return True


def ask_for_place(window: Any) -> Path | None:
    """The file that the user wants the project saved to."""
    chosen = QFileDialog.getSaveFileName(window, "Save project", "flow.json", "Ryven project (*.json)")[0]
    if not chosen:
        return None
    if (path := Path(chosen)).suffix == ".json":
        return path
    path = path.with_name(f"{path.name}.json")  # the dialog asked about another name
    return path if not path.exists() or _may_replace(window, path) else None


def _may_replace(window: Any, path: Path) -> bool:
    question = f"{path.name} already exists. Do you want to replace it?"
    return QMessageBox.question(window, "Replace?", question) == QMessageBox.StandardButton.Yes


def stamp(path: Path | None) -> tuple[int, int] | None:
    """What tells one version of a file from another; None where there is no file."""
    try:
        about = path.stat() if path else None
    except OSError:
        return None
    return (about.st_mtime_ns, about.st_size) if about else None


def may_write_over(window: Any, path: Path, known: tuple[int, int] | None) -> bool:
    """Asks before saving over what somebody else has written to ``path`` since it had the stamp ``known``."""
    if known is None or stamp(path) in (known, None):
        return True
    question = (
        f"{path.name} was changed by another program since it was opened here. Save over it? "
        f"The other version stays as {path.name}.bak."
    )
    return QMessageBox.question(window, "Save over?", question) == QMessageBox.StandardButton.Yes


def ask_to_save(window: Any) -> QMessageBox.StandardButton:
    """Save, Discard or Cancel, for changes that would be lost."""
    buttons = QMessageBox.StandardButton
    question = "The project has changes that were not saved. Save them?"
    return QMessageBox.question(
        window, "Save?", question, buttons.Save | buttons.Discard | buttons.Cancel, buttons.Save
    )


def _first(lines: list[str]) -> str:
    """A file may be wrong in so many ways that no screen holds them."""
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return "\n".join(lines[:MOST_LINES] + more)
