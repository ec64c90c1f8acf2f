"""The run history: a list, and below it the selected run, or two side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QEvent, Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices, QKeySequence, QShortcut
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QMessageBox, QPushButton, QSplitter, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.history.run_pages import ComparisonPage, SummaryPage
from ryven_llm_nodes.gui.history.run_summaries import Comparison, Summary, compare, list_runs, summarize
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import RunState, in_words
from ryven_llm_nodes.run.store.kept import delete_all

TITLES: Final = ("run", "flow", "status", "time", "stages")
EMPTY: Final = "No runs yet: F5 runs the flow."
LOOKING: Final = "Reading the records in {folder} ..."
CHOOSE: Final = "Select a run to see its results, or two to compare them."
COMPARE: Final = "Ctrl+click a second run to compare the two."
READING: Final = "Reading ..."
PATIENCE_MS: Final = 200
"""How long the previous page stays: most records are read sooner, which avoids flicker."""


class RunsWindow(QDialog):
    """Lists the runs below ``outputs``; ``open_path`` opens the flow of one in an editor."""

    def __init__(self, outputs: Path, open_path: Callable[[Path], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.outputs, self._open_path = outputs, weakly(open_path)
        self.runs: dict[str, PastRun] = {}
        self._wanted: tuple[Any, ...] = ()
        self._patience = QTimer(self, interval=PATIENCE_MS, singleShot=True)
        self._patience.timeout.connect(self._say_reading)
        self.setWindowTitle("Run History")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.resize(1060, 800)
        self._build()
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._read_on)
        QShortcut(QKeySequence.StandardKey.Delete, self.table).activated.connect(self.ask_delete)
        self._choose()

    def _build(self) -> None:
        self.table = Table(TITLES, stretch=4, right=(3,))
        self.list = WithPlaceholder(self.table)
        self.detail = QWidget()
        self._detail_column = QVBoxLayout(self.detail)
        self._detail_column.setContentsMargins(0, 6, 0, 0)
        self.detail_pages = WithPlaceholder(self.detail)
        self.page: SummaryPage | ComparisonPage | None = None
        splitter = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        splitter.addWidget(self.list)
        splitter.addWidget(self.detail_pages)
        splitter.setSizes([220, 520])
        splitter.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(splitter, 1)
        column.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.hint = QLabel()
        row.addWidget(self.hint, 1)
        texts = "Open Flow", "Open Folder", "Delete Record...", "Close"
        self.flow_button, self.folder_button, self.delete_button, self.close_button = map(QPushButton, texts)
        self.flow_button.setToolTip("Open the flow of this run, as it was run, in another window")
        self.delete_button.setToolTip("The models stay")
        self.flow_button.clicked.connect(self.open_flow)
        self.folder_button.clicked.connect(self.open_folder)
        self.delete_button.clicked.connect(self.ask_delete)
        self.close_button.clicked.connect(self.close)
        for button in (self.flow_button, self.folder_button, self.delete_button, self.close_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        return row

    # The list

    def refresh(self) -> None:
        """Reads again, in a thread; the window stays responsive."""
        if not self.runs:
            self.list.say(LOOKING.format(folder=self.outputs))
        outputs = self.outputs
        background().start(lambda: list_runs(outputs), self, self._show)

    def _show(self, runs: Sequence[PastRun]) -> None:
        is_first = not self.runs
        self.runs = {str(run.folder): run for run in runs}
        self.table.show_rows({key: _row(run) for key, run in self.runs.items()})
        if runs:
            self.list.show_content()
        else:
            self.list.say(EMPTY)
        self.hint.setText(COMPARE if len(runs) > 1 else "")
        if is_first and runs:
            self.table.choose(str(runs[0].folder))
        self._choose()

    def chosen(self) -> list[PastRun]:
        """The selected runs, oldest first."""
        return [self.runs[key] for key in reversed(self.table.chosen_keys()) if key in self.runs]

    # One run, or two

    def _choose(self) -> None:
        """Reads the selected runs, unless they are already shown and unchanged."""
        runs = self.chosen()
        self.flow_button.setEnabled(len(runs) == 1)
        self.folder_button.setEnabled(len(runs) == 1)
        self.delete_button.setEnabled(bool(_deletable(runs)))
        wanted = tuple((run.folder, run.summary, run.status) for run in runs)
        if wanted and wanted == self._wanted:
            return
        self._wanted = wanted
        if 0 < len(runs) < 3:
            self._patience.start()
        else:
            self._say(CHOOSE if self.runs else "")
        if len(runs) == 1:
            self._read(lambda: summarize(runs[0]), wanted)
        elif len(runs) == 2:
            self._read(lambda: compare(*runs), wanted)

    def _read(self, read: Callable[[], Summary | Comparison], wanted: tuple[Any, ...]) -> None:
        background().start(read, self, lambda found: self._show_page(found) if wanted is self._wanted else None)

    def _say_reading(self) -> None:
        self._say(READING)

    def _say(self, sentence: str) -> None:
        self._patience.stop()
        self.detail_pages.say(sentence)

    def _show_page(self, found: Summary | Comparison) -> None:
        self._patience.stop()
        if self.page is not None:
            self.page.hide()
            self.page.deleteLater()
        self.page = SummaryPage(found) if isinstance(found, Summary) else ComparisonPage(found)
        self._detail_column.addWidget(self.page)
        self.detail_pages.show_content()

    def _read_on(self) -> None:
        """Enter or a double click: keys now scroll the page of the run."""
        if self.page is not None:
            self.page.setFocus()

    # Buttons

    def open_flow(self) -> None:
        """Opens the flow of the selected run, as it was run, in another editor."""
        if len(runs := self.chosen()) == 1:
            self._open_path(runs[0].folder)

    def open_folder(self) -> None:
        """Shows the record of the selected run in the system's file manager."""
        if len(runs := self.chosen()) == 1:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(runs[0].folder)))

    def ask_delete(self) -> None:
        """Deletes the records of the selected runs, after a confirmation."""
        runs = _deletable(self.chosen())
        if not runs:
            return
        what = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
        question = f"Delete the record of {what}?\nThis removes its flow, curves and samples; the models stay."
        buttons = QMessageBox.StandardButton
        if QMessageBox.question(self, "Delete?", question, buttons.Yes | buttons.No, buttons.No) == buttons.Yes:
            background().start(lambda: delete_all(runs), self, self._deleted)

    def _deleted(self, failures: Sequence[str]) -> None:
        self.refresh()
        if failures:
            QMessageBox.warning(self, "Not deleted", "\n".join(failures))

    def event(self, event: QEvent) -> bool:
        """Reads again whenever the window comes to the front: runs may be started elsewhere."""
        if event.type() == QEvent.Type.WindowActivate:
            self.refresh()
        return super().event(event)


def _deletable(runs: Sequence[PastRun]) -> list[PastRun]:
    return [run for run in runs if run.status != RunState.RUNNING]


def _row(run: PastRun) -> Row:
    stages = ", ".join(f"{name} {in_words(run.state(name))}" for name in run.stages)
    status = Cell(in_words(run.status), state_colour(run.status), "\n".join(run.error))
    return Row((Cell(run.name, "", str(run.folder)), run.flow, status, duration(run.seconds), Cell(stages, "", stages)))
