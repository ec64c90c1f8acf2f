"""The window Sweep: the trials of one sweep, in a chart and in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.style.colours import GOOD
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.style.states import state_colour
from ryven_llm_nodes.gui.sweeping.chart import TrialsChart
from ryven_llm_nodes.gui.widgets.buttons import push_button
from ryven_llm_nodes.gui.widgets.combo import Combo
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.quantities import duration, number
from ryven_llm_nodes.run.states import in_words

if TYPE_CHECKING:
    from ryven_llm_nodes.run.sweeping.study import Trial
    from ryven_llm_nodes.run.sweeping.sweep import Plan, Result

EMPTY: Final = (
    "This flow describes no sweep. Choose Vary in a Sweep... in the menu of a parameter in the inspector, "
    "or add a Sweep node (Tab)."
)


class SweepWindow(QDialog):
    """Shows a sweep; what its buttons want is told by signals."""

    run_wanted = Signal()
    stop_wanted = Signal()
    apply_wanted = Signal()
    page_wanted = Signal()
    chosen = Signal(str)
    """Another of several sweeps is to be shown: its name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_running, self._titles = False, ("",)
        self.setWindowTitle("Parameter Sweep")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, 980, 640)
        self.names = Combo(self)
        self.names.setAccessibleName("sweep")
        self.about = QLabel(wordWrap=True)
        self.chart, self.table = TrialsChart(), Table(("#",))
        self.importance, self.note = QLabel(wordWrap=True), QLabel(wordWrap=True)
        self.importance.setProperty("role", "muted")
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.chart)
        split.addWidget(self.table)
        split.setSizes([280, 260])
        self.pages = WithPlaceholder(split)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        for widget in (self.names, self.about):
            column.addWidget(widget)
        column.addWidget(self.pages, 1)
        for widget in (self.importance, self.note):
            column.addWidget(widget)
        column.addLayout(self._buttons())
        self.names.textActivated.connect(self.chosen)
        self.show_names((), "")
        self.show_none()

    def _buttons(self) -> QHBoxLayout:
        self.run_button = push_button("Run", self._run_or_stop, "Run the trials that are left, one after the other")
        self.apply = push_button(
            "Use Best Values", self.apply_wanted.emit, "Write the values of the best trial into the flow"
        )
        self.page = push_button("Save Page...", self.page_wanted.emit, "Save all of this as one HTML file")
        self.close_button = push_button("Close", self.close)
        row = QHBoxLayout()
        row.addWidget(self.run_button)
        row.addStretch(1)
        for one in (self.apply, self.page, self.close_button):
            row.addWidget(one)
        return row

    def _run_or_stop(self) -> None:
        (self.stop_wanted if self._is_running else self.run_wanted).emit()

    # What is shown

    def show_names(self, names: Sequence[str], current: str) -> None:
        """Offers the sweeps of the flow, where there are several."""
        self.names.setVisible(len(names) > 1)
        self.names.clear()
        self.names.addItems(list(names))
        self.names.setCurrentText(current)

    def show_none(self, why: str = EMPTY) -> None:
        """Shows that there is no sweep, and why."""
        self.pages.say(why)
        for label in (self.about, self.importance, self.note):
            label.clear()
        for one in (self.run_button, self.apply, self.page):
            one.setEnabled(False)

    def show_sweep(self, plan: Plan, result: Result, running: bool, busy: bool = False) -> None:
        """Shows the trials of ``plan``; ``running`` says whether it runs, ``busy`` whether something else does."""
        self._is_running = running
        self.about.setText(_about(plan))
        self.chart.show_trials(plan, result)
        self._show_table(plan, result)
        shares = ", ".join(f"{name} {share:.0%}" for name, share in result.importances.items())
        self.importance.setText(f"What matters to being among the best (PED-ANOVA): {shares}." if shares else "")
        left = plan.trials - sum(trial.state != "unfinished" for trial in result.trials)
        self.note.setText(_note(result, left, running))
        self.run_button.setText("Stop" if running else "Run" if not result.trials else "Continue")
        self.run_button.setEnabled(running or (left > 0 and not busy))
        self.apply.setEnabled(result.best is not None and not running)
        self.page.setEnabled(bool(result.trials))
        self.pages.show_content()

    def _show_table(self, plan: Plan, result: Result) -> None:
        names = list(plan.space.axes)
        titles = ("#", "status", str(plan.metric), *names, "time")
        if titles != self._titles:
            self._titles = titles
            self.table.set_columns(titles, stretch=1, right=range(2, len(titles)))
        rows = {str(trial.number): _row(trial, names, trial == result.best) for trial in result.trials}
        self.table.show_rows(rows)


def _about(plan: Plan) -> str:
    how = "all combinations" if plan.space.size == plan.trials else f"{plan.trials} trials"
    until = f"; a trial is ended where {plan.live} is worse than the median" if plan.live else ""
    return f"{'Maximize' if plan.maximize else 'Minimize'} {plan.metric}: {how} of {', '.join(plan.space.axes)}{until}."


def _note(result: Result, left: int, running: bool) -> str:
    if running:
        return "Each trial is shown on the canvas like a run; stages that trials share run once."
    if result.best is None:
        return "No trial is done yet." if left else "No trial was done, so there is no best one."
    best = f"Best: trial {result.best.number + 1}, {number(result.best.value or 0.0)}."
    return best + (f" {left} trial{'s are' if left != 1 else ' is'} left." if left else "")


def _row(trial: Trial, names: Sequence[str], is_best: bool) -> Row:
    from ryven_llm_nodes.run.sweeping.along import written

    colour = GOOD if is_best else ""
    value = "" if trial.value is None else number(trial.value)
    cells = (value, *(written(trial.values[name]) for name in names), duration(trial.seconds))
    words = in_words(trial.state) + (f": {trial.error.splitlines()[0]}" if trial.error else "")
    state = Cell("★ best", GOOD) if is_best else Cell(words, state_colour(trial.state), trial.error)
    return Row((Cell(str(trial.number + 1), colour), state, *(Cell(text, colour) for text in cells)))
