"""The run history: a list, and below it the selected run, or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QEvent, Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices, QKeySequence, QShortcut
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QMessageBox, QPushButton, QSplitter, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.history.after import Afterwards
from ryven_llm_nodes.gui.history.run_pages import ComparisonPage, SummaryPage
from ryven_llm_nodes.gui.history.run_summaries import Comparison, RunsReader, Summary, compare, summarize
from ryven_llm_nodes.gui.history.runs_list import RunsList
from ryven_llm_nodes.gui.state.overlay import MOST
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.run.records.facts import Facts
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.states import RunState
from ryven_llm_nodes.run.store.kept import delete_all

EMPTY: Final = "No runs yet: F5 runs the flow."
LOOKING: Final = "Reading the records in {folder} ..."
CHOOSE: Final = "Select a run to see its results, or up to eight to compare them."
COMPARE: Final = "Ctrl+click further runs to compare them, up to eight."
TOO_MANY: Final = f"At most {MOST} runs are compared; {{count}} are selected."
READING: Final = "Reading ..."
PATIENCE_MS: Final = 200
"""How long the previous page stays: most records are read sooner, which avoids flicker."""


class RunsWindow(QDialog):
    """Lists the runs below ``outputs``; ``open_path`` opens the flow of one in an editor."""

    def __init__(
        self,
        outputs: Path,
        open_path: Callable[[Path], Any],
        parent: QWidget | None = None,
        after: Afterwards | None = None,
    ) -> None:
        """``after``: what can be done with the models of a run."""
        super().__init__(parent)
        self.outputs, self._open_path, self._after = outputs, weakly(open_path), after
        self._reader = RunsReader(outputs)
        self.runs: dict[str, PastRun] = {}
        self._wanted: tuple[Any, ...] = ()
        self._patience = QTimer(self, interval=PATIENCE_MS, singleShot=True)
        self._patience.timeout.connect(self._say_reading)
        self.setWindowTitle("Run History")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        open_with(self, 1060, 800)
        self._build()
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._read_on)
        QShortcut(QKeySequence.StandardKey.Delete, self.table).activated.connect(self.ask_delete)
        self._choose()

    def _build(self) -> None:
        self.runs_list = RunsList()
        self.table, self.list = self.runs_list.table, self.runs_list.content
        self.detail = QWidget()
        self._detail_column = QVBoxLayout(self.detail)
        self._detail_column.setContentsMargins(0, 6, 0, 0)
        self.detail_pages = WithPlaceholder(self.detail)
        self.page: SummaryPage | ComparisonPage | None = None
        splitter = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        splitter.addWidget(self.runs_list)
        splitter.addWidget(self.detail_pages)
        splitter.setSizes([240, 500])
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
        texts = "Draw over Curves", "Open Flow", "Open Folder", "Delete Record...", "Close"
        buttons = self.draw_button, self.flow_button, self.folder_button, self.delete_button, self.close_button = [
            QPushButton(text) for text in texts
        ]
        self.draw_button.setToolTip("Draw the curves of these runs over those of the flow in front")
        self.flow_button.setToolTip("Open the flow of this run, as it was run, in another window")
        self.delete_button.setToolTip("The models stay")
        self.draw_button.clicked.connect(self.draw)
        self.flow_button.clicked.connect(self.open_flow)
        self.folder_button.clicked.connect(self.open_folder)
        self.delete_button.clicked.connect(self.ask_delete)
        self.close_button.clicked.connect(self.close)
        for button in buttons:
            button.setAutoDefault(False)
            row.addWidget(button)
        return row

    # The list

    def refresh(self) -> None:
        """Reads again, in a thread; the window stays responsive."""
        if not self.runs:
            self.list.say(LOOKING.format(folder=self.outputs))
        background().start(self._reader.read, self, self._show)

    def _show(self, found: Sequence[tuple[PastRun, Facts]]) -> None:
        is_first = not self.runs
        self.runs = {str(run.folder): run for run, _ in found}
        self.runs_list.show_runs({str(run.folder): (run, facts) for run, facts in found})
        if not found:
            self.list.say(EMPTY)
        self.hint.setText(COMPARE if len(found) > 1 else "")
        if is_first and found:
            self.table.setFocus()
            self.table.choose(str(found[0][0].folder))
        self._choose()

    def chosen(self) -> list[PastRun]:
        """The selected runs, oldest first."""
        chosen = set(self.table.chosen_keys())
        return [run for key, run in reversed(self.runs.items()) if key in chosen]

    # One run, or several

    def _choose(self) -> None:
        """Reads the selected runs, unless they are already shown and unchanged."""
        runs = self.chosen()
        self.draw_button.setEnabled(0 < len(runs) <= MOST and self._after is not None)
        self.flow_button.setEnabled(len(runs) == 1)
        self.folder_button.setEnabled(len(runs) == 1)
        self.delete_button.setEnabled(bool(_deletable(runs)))
        wanted = tuple((run.folder, run.summary, run.status) for run in runs)
        if wanted and wanted == self._wanted:
            return
        self._wanted = wanted
        if 0 < len(runs) <= MOST:
            self._patience.start()
            self._read((lambda: compare(runs)) if len(runs) > 1 else (lambda: summarize(runs[0])), wanted)
        else:
            self._say(TOO_MANY.format(count=len(runs)) if runs else CHOOSE if self.runs else "")

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
        if isinstance(found, Summary):
            self.page = SummaryPage(found, self._after)
            self.page.label_fields.saved.connect(self.refresh)
        else:
            self.page = ComparisonPage(found)
        self._detail_column.addWidget(self.page)
        self.detail_pages.show_content()

    def _read_on(self) -> None:
        """Enter or a double click: keys now scroll the page of the run."""
        if self.page is not None:
            self.page.setFocus()

    # Buttons

    def draw(self) -> None:
        """Draws the curves of the selected runs over those of the flow in front."""
        if self._after is not None:
            self._after.draw(self.chosen())

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
