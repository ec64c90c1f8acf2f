"""Saving a project, with questions before anything could be lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.state.document import Document


class Saving(QObject):
    """Saves ``document``; ``flush`` commits pending edits of fields."""

    saved = Signal(str)
    """The name of the file that was written."""

    def __init__(self, document: Document, flush: Callable[[], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._flush = document, flush
        self.discarded = False
        """Whether the user has discarded the changes."""

    def save(self) -> bool:
        """Saves the project, asking for a name if it has none yet. False if it was not saved."""
        path = self._document.path
        return self.save_as() if path is None else self.save_to(path)

    def save_as(self) -> bool:
        """Asks for a name and saves the project under it."""
        path = ask_for_place(self._document.window)
        return path is not None and self.save_to(path)

    def save_to(self, path: Path) -> bool:
        """Saves the project to ``path``."""
        self._flush()
        window = self._document.window
        if self._document.is_changed_elsewhere(path) and not _may_write_over(window, path):
            return False
        left_out = self._document.left_out
        try:
            self._document.write(path)
        except LLMNodesError as error:
            QMessageBox.warning(window, "Not saved", str(error))
            return False
        without = f" (without {', '.join(left_out)}, which was not changed)" if left_out else ""
        self.saved.emit(path.name + without)
        return True

    def may_close(self) -> bool:
        """Asks what to do with unsaved changes, if there are any."""
        self._flush()
        if self.discarded or not self._document.modified:
            return True
        answer = ask_to_save(self._document.window)
        self.discarded = answer == QMessageBox.StandardButton.Discard
        return self.discarded or (answer == QMessageBox.StandardButton.Save and self.save())


def ask_for_place(window: QWidget) -> Path | None:
    """The file that the user wants the project saved to."""
    chosen = QFileDialog.getSaveFileName(window, "Save project", "flow.json", "Ryven project (*.json)")[0]
    if not chosen:
        return None
    if (path := Path(chosen)).suffix == ".json":
        return path
    path = path.with_name(f"{path.name}.json")  # the dialog asked about another name
    return path if not path.exists() or _may_replace(window, path) else None


def _may_replace(window: QWidget, path: Path) -> bool:
    question = f"{path.name} already exists. Do you want to replace it?"
    return QMessageBox.question(window, "Replace?", question) == QMessageBox.StandardButton.Yes


def _may_write_over(window: QWidget, path: Path) -> bool:
    question = (
        f"{path.name} was changed by another program since it was opened here. Save over it? "
        f"The other version stays as {path.name}.bak."
    )
    return QMessageBox.question(window, "Save over?", question) == QMessageBox.StandardButton.Yes


def ask_to_save(window: QWidget) -> QMessageBox.StandardButton:
    """Save, Discard or Cancel, for changes that would be lost."""
    buttons = QMessageBox.StandardButton
    question = "The project has unsaved changes. Save them?"
    return QMessageBox.question(
        window, "Save?", question, buttons.Save | buttons.Discard | buttons.Cancel, buttons.Save
    )
