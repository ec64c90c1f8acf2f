"""The window Queue: what waits, in its order, and how the others have ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QEvent
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QMessageBox, QVBoxLayout, QWidget

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.queueing.runner import QueueRunner
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.widgets.buttons import push_button
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.run.queueing.queue import Queued
from ryven_llm_nodes.run.states import RunState, in_words

TITLES: Final = ("", "flow", "status", "queued", "output folder")
EMPTY: Final = "Nothing is queued: Add to Queue (Alt+F5) queues the flow in front as it is now."
STOPPING: Final = "stopping after this step; again: at once"


class QueueWindow(QDialog):
    """Shows the queue of ``runner``, and changes it; ``show_runs`` opens the run history, where all runs end."""

    def __init__(self, runner: QueueRunner, show_runs: Callable[[], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runner = runner
        self.entries: dict[str, Queued] = {}
        self.setWindowTitle("Queue")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, 820, 420)
        self.table = Table(TITLES, stretch=4)
        self.pages = WithPlaceholder(self.table)
        self.note = QLabel(wordWrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.pages, 1)
        column.addWidget(self.note)
        column.addLayout(self._buttons(show_runs))
        self.table.chosen.connect(self._enable)
        QShortcut(QKeySequence.StandardKey.Delete, self.table).activated.connect(self.remove)
        QShortcut(QKeySequence("Alt+Up"), self).activated.connect(lambda: self.move_by(-1))
        QShortcut(QKeySequence("Alt+Down"), self).activated.connect(lambda: self.move_by(1))
        runner.changed.connect(self.refresh)
        runner.went_on.connect(self._show_entries)
        self.refresh()

    def _buttons(self, show_runs: Callable[[], Any]) -> QHBoxLayout:
        self.run_button = push_button("Run", self.run_or_stop, "Run what waits, one flow after the other")
        self.up = push_button("Up", lambda: self.move_by(-1), "Earlier (Alt+Up)")
        self.down = push_button("Down", lambda: self.move_by(1), "Later (Alt+Down)")
        self.remove_button = push_button("Remove", self.remove, "Take these from the queue (Delete)")
        self.clear = push_button("Remove Ended", self.remove_ended, "Take from the queue what was run")
        self.history = push_button("Run History...", show_runs, "The runs that have ended")
        self.close_button = push_button("Close", self.close)
        row = QHBoxLayout()
        row.addWidget(self.run_button)
        row.addStretch(1)
        for one in (self.up, self.down, self.remove_button, self.clear, self.history, self.close_button):
            row.addWidget(one)
        return row

    # What is shown

    def refresh(self) -> None:
        """Shows the queue as it is now in its file."""
        self.entries = {one.id: one for one in self.runner.queue.entries()}
        self._show_entries()

    def _show_entries(self) -> None:
        self.table.show_rows({one.id: self._row(place, one) for place, one in enumerate(self.entries.values(), 1)})
        if self.entries:
            self.pages.show_content()
        else:
            self.pages.say(EMPTY)
        self._enable()

    def _row(self, place: int, one: Queued) -> Row:
        doing = f" {self.runner.doing}" if self._is_here(one) and self.runner.doing else ""
        first = one.error.strip().splitlines()[0] if one.error.strip() else ""
        text = in_words(one.status) + doing + (f": {first}" if first else "")
        status = Cell(text, state_colour(one.status), one.error)
        added = one.added[:16].replace("T", " ")
        return Row((str(place), one.title, status, added, Cell(one.output, "", one.output)))

    def _is_here(self, one: Queued) -> bool:
        return self.runner.current is not None and one.id == self.runner.current.id

    def _enable(self) -> None:
        chosen, runner = self.chosen(), self.runner
        waiting = [one for one in self.entries.values() if one.waits]
        self.run_button.setText("Stop" if runner.is_running else "Run")
        self.run_button.setEnabled(runner.is_running or bool(waiting))
        self.remove_button.setEnabled(any(one.status != RunState.RUNNING for one in chosen))
        self.clear.setEnabled(any(one.has_ended for one in self.entries.values()))
        places = list(self.entries)
        self.up.setEnabled(len(chosen) == 1 and places[0] != chosen[0].id)
        self.down.setEnabled(len(chosen) == 1 and places[-1] != chosen[0].id)
        left = f"{len(waiting)} flow{'s wait' if len(waiting) != 1 else ' waits'}." if waiting else ""
        self.note.setText(STOPPING if runner.is_stopping else runner.error or left)

    def chosen(self) -> list[Queued]:
        """The selected entries."""
        return [self.entries[key] for key in self.table.chosen_keys() if key in self.entries]

    # What changes it

    def run_or_stop(self) -> None:
        """Runs what waits; or stops the running flow, which then waits again."""
        if self.runner.is_running:
            self.runner.stop()
        else:
            self.runner.start()

    def move_by(self, by: int) -> None:
        """Moves the selected entry."""
        if len(chosen := self.chosen()) == 1:
            self._change(lambda: self.runner.queue.move(chosen[0].id, by))

    def remove(self) -> None:
        """Takes the selected entries from the queue."""
        if chosen := self.chosen():
            self._change(lambda: self.runner.queue.remove(*(one.id for one in chosen)))

    def remove_ended(self) -> None:
        """Takes from the queue what was run."""
        ended = [one.id for one in self.entries.values() if one.has_ended]
        self._change(lambda: self.runner.queue.remove(*ended))

    def _change(self, does: Callable[[], None]) -> None:
        try:
            does()
        except LLMNodesError as error:
            QMessageBox.warning(self, "Not changed", str(error))
        self.refresh()

    def event(self, event: QEvent) -> bool:
        """Reads again whenever the window comes to the front: another editor may have changed it."""
        if event.type() == QEvent.Type.WindowActivate:
            self.refresh()
        return super().event(event)
