"""The cached stages: how much disk space they take, and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QMessageBox, QPushButton, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.quantities import size
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.store.alone import is_taken
from ryven_llm_nodes.run.store.kept import Kept, delete_all, kept_below

TITLES: Final = ("flow", "stage", "state", "cached since", "size")
EMPTY: Final = "Nothing is cached in {folder} yet: a stage is cached when it has been trained (F5)."
LOOKING: Final = "Measuring what is cached in {folder} ..."
REUSED: Final = "Run reuses it as long as nothing it depends on changes."
UNNAMED: Final = "Of earlier settings; Run with those settings reuses it."
RESUMED: Final = "Run resumes from its newest checkpoint, if it has one."
IN_USE: Final = "A run is writing to {folder}; its stages can be deleted once it has ended"


@dataclass(frozen=True)
class Found:
    """A cached stage with its size in bytes, None while files change; ``taken``: a run is writing there."""

    kept: Kept
    size: int | None
    taken: bool

    @property
    def output_dir(self) -> Path:
        """The output folder that it lies in."""
        return self.kept.output_dir

    @property
    def state(self) -> Cell:
        """Its state."""
        if self.taken:
            return Cell("in use by a run", "", IN_USE.format(folder=self.output_dir))
        is_complete = self.kept.finished and not self.kept.ended_at
        colour = state_colour(RunState.DONE if is_complete else RunState.CANCELLED)
        return Cell(self.kept.state, colour, REUSED if self.kept.finished else RESUMED)


def find_kept(outputs: Path) -> list[Found]:
    """Everything that is cached in ``outputs`` or an output folder in it."""
    stages = list(kept_below(outputs))
    taken = {folder: is_taken(folder) for folder in {kept.output_dir for kept in stages}}
    return [Found(kept, _size(kept), taken[kept.output_dir]) for kept in stages]


def _size(kept: Kept) -> int | None:
    try:
        return kept.size
    except OSError:
        return None  # a run has just removed a file


def _several(found: Sequence[Found]) -> str:
    """Count and size: ``3 cached stages, 1.2 GB``."""
    room = size(sum(one.size or 0 for one in found))
    return f"{len(found)} cached stage{'s' * (len(found) != 1)}, {room}"


class KeptWindow(QDialog):
    """Lists the cached stages below ``outputs``; deletes them after a confirmation."""

    def __init__(self, outputs: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.outputs = outputs
        self.found: dict[str, Found] = {}
        self._busy = False
        self.setWindowTitle("Cached Stages")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, 780, 420)
        self.table = Table(TITLES, stretch=2, right=(4,))
        self.pages = WithPlaceholder(self.table)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.pages, 1)
        self.total, self.note = QLabel(), QLabel(wordWrap=True)
        column.addWidget(self.note)
        column.addLayout(self._buttons())
        self.table.chosen.connect(self._enable)
        QShortcut(QKeySequence.StandardKey.Delete, self.table).activated.connect(self.ask_selected)
        self._enable()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.total, 1)
        texts = "Delete Selected...", "Delete All...", "Close"
        self.selected_button, self.all_button, self.close_button = map(QPushButton, texts)
        self.selected_button.clicked.connect(self.ask_selected)
        self.all_button.clicked.connect(self.ask_all)
        self.close_button.clicked.connect(self.close)
        for button in (self.selected_button, self.all_button, self.close_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        return row

    # Finding

    def refresh(self) -> None:
        """Reads again, in a thread; the window stays responsive."""
        if not self.found:
            self.pages.say(LOOKING.format(folder=self.outputs))
        outputs = self.outputs
        background().start(lambda: find_kept(outputs), self, self._show)

    def _show(self, found: Sequence[Found]) -> None:
        self.found = {str(one.kept.folder): one for one in found}
        self.table.show_rows({key: self._row(one) for key, one in self.found.items()})
        if found:
            self.pages.show_content()
        else:
            self.pages.say(EMPTY.format(folder=self.outputs))
        self.total.setText(_several(found) if found else "")
        taken = dict.fromkeys(str(one.output_dir) for one in found if one.taken)
        self.note.setText("\n".join(IN_USE.format(folder=folder) for folder in taken))
        self.note.setVisible(bool(taken))
        self._enable()

    @staticmethod
    def _row(one: Found) -> Row:
        name, room = one.output_dir.name, "?" if one.size is None else size(one.size)
        stage = Cell(one.kept.title, "", str(one.kept.folder) if one.kept.leading else f"{UNNAMED}\n{one.kept.folder}")
        return Row((name, stage, one.state, one.kept.since, room), enabled=not one.taken)

    def _enable(self) -> None:
        self.selected_button.setEnabled(bool(self._selected()) and not self._busy)
        self.all_button.setEnabled(bool(self._free()) and not self._busy)

    def _selected(self) -> list[Found]:
        return [self.found[key] for key in self.table.chosen_keys() if key in self.found]

    def _free(self) -> list[Found]:
        return [one for one in self.found.values() if not one.taken]

    # Deleting

    def ask_selected(self) -> None:
        """Deletes the selected stages, after a confirmation."""
        self._ask(self._selected())

    def ask_all(self) -> None:
        """Deletes all stages that no run is using, after a confirmation."""
        self._ask(self._free())

    def _ask(self, found: list[Found]) -> None:
        if not found or self._busy:
            return
        question = f"Delete {_several(found)}?\nThe stages are trained again in the next run."
        buttons = QMessageBox.StandardButton
        if QMessageBox.question(self, "Delete?", question, buttons.Yes | buttons.No, buttons.No) == buttons.Yes:
            self._busy = True
            self._enable()
            self.total.setText(f"Deleting {_several(found)} ...")
            background().start(lambda: delete_all(one.kept for one in found), self, self._deleted)

    def _deleted(self, failures: Sequence[str]) -> None:
        self._busy = False
        self.refresh()
        if failures:
            QMessageBox.warning(self, "Not deleted", "\n".join(failures))

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.refresh()
