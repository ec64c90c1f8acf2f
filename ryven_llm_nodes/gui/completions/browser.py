"""The completions browser: what a policy generated during PPO or GRPO, and the rewards."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QItemSelectionModel, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QSplitter,
    QStackedLayout,
    QTableView,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from ryven_llm_nodes.gui.completions.table_model import CompletionsModel, Index, Sample
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.style.colours import ACCENT, GOOD, MUTED
from ryven_llm_nodes.gui.style.rich_text import escape
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.widgets.combo import Combo
from ryven_llm_nodes.gui.widgets.range_slider import RangeSlider
from ryven_llm_nodes.gui.widgets.tables import Cells
from ryven_llm_nodes.quantities import number
from ryven_llm_nodes.run.events import Completions

REFRESH_MS: Final = 250
EMPTY: Final = "Sampled completions and their rewards appear here while PPO or GRPO trains."


class CompletionsBrowser(QWidget):
    """A table of samples with filters, and the full text of the selected one. Follows the newest unless scrolled up."""

    def __init__(self, model: RunModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.table_model = CompletionsModel(self)
        self._step = ""
        self._pending: list[Completions] = []
        self._chosen: Sample | None = None
        self._tick = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._tick.timeout.connect(self.refresh)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(PANEL_STYLE)
        self._build()
        self._connect()
        self._after_change()
        self._list_stages()

    # Widgets

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(4)
        self.bar = self._make_bar()
        column.addWidget(self.bar)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.splitter.addWidget(self._make_table())
        self.splitter.addWidget(self._make_detail())
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([640, 360])
        self.empty = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.empty.setProperty("role", "muted")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.splitter)
        column.addLayout(self._stack, 1)

    def _make_bar(self) -> QWidget:
        bar = QWidget(self)
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.stage_box = Combo(self)
        self.stage_box.setMinimumWidth(110)
        self.stage_box.setToolTip("The stage whose completions are shown")
        self.search = QLineEdit(placeholderText="Search prompts and completions", clearButtonEnabled=True)
        self.search.setObjectName("search")
        self.steps = RangeSlider()
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.steps_text = QLabel()
        self.steps_text.setProperty("role", "muted")
        row.addWidget(self.stage_box)
        row.addWidget(self.search, 3)
        row.addWidget(self.steps_text)
        row.addWidget(self.steps, 2)
        row.addWidget(self.count)
        return bar

    def _make_table(self) -> QTableView:
        self.table = QTableView(showGrid=False, wordWrap=False)
        self.table.setModel(self.table_model)
        self.table.setItemDelegate(Cells(self.table))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(23)
        header = self.table.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(44)
        self.table.setSortingEnabled(True)
        return self.table

    def _make_detail(self) -> QTextEdit:
        self.detail = QTextEdit(readOnly=True, minimumWidth=180)
        return self.detail

    def _connect(self) -> None:
        self.model.completions_added.connect(self._on_completions)
        self.model.run_started.connect(self._on_run_started)
        self.stage_box.textActivated.connect(self.show_stage)
        self.search.textChanged.connect(self._filter)
        self.steps.valueChanged.connect(self._filter)
        self.table_model.modelReset.connect(self._after_reset)
        self.table.selectionModel().currentRowChanged.connect(self._choose)

    # Stages

    def _list_stages(self) -> None:
        names = [name for name, stage in self.model.stages.items() if stage.completions]
        known = [self.stage_box.itemText(place) for place in range(self.stage_box.count())]
        self.stage_box.addItems([name for name in names if name not in known])
        if names and self._step not in names:
            self.show_stage(names[-1])

    def show_stage(self, step: str) -> None:
        """Shows the completions of the stage ``step``."""
        self._step, self._pending = step, []
        self.stage_box.setCurrentText(step)
        stage = self.model.stages.get(step)
        self.table_model.show(stage.completions if stage else [])
        self._after_change()
        self._size_columns()
        self.table.scrollToBottom()

    def _on_run_started(self, event: object) -> None:
        if self._step in self.model.stages:
            self.show_stage(self._step)

    def _on_completions(self, step: str) -> None:
        if step == self._step:
            self._pending.append(self.model.stages[step].completions[-1])
        else:
            self._list_stages()
            if not self.isVisible() or self.model.stages[step].is_running:
                self.show_stage(step)
        if not self._tick.isActive():
            self._tick.start()

    def refresh(self) -> None:
        """Shows new samples; many events are one refresh."""
        self._tick.stop()
        if not self._pending or not self.isVisible():
            return
        bar = self.table.verticalScrollBar()
        at_end, place = bar.value() >= bar.maximum() - 1, bar.value()
        columns = self.table_model.columnCount()
        self.table_model.add(self._pending)
        self._pending = []
        self._after_change()
        if columns != self.table_model.columnCount():
            self._size_columns()
        if at_end and not self.table_model.is_sorted:
            self.table.scrollToBottom()
        else:
            bar.setValue(place)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._size_columns()

    # Filters

    def _filter(self, *_: object) -> None:
        steps = None if self.steps.is_whole else self.steps.value()
        self.table_model.set_filter(self.search.text(), steps)
        self._say_count()

    def _after_change(self) -> None:
        self.steps.set_limits(*self.table_model.step_range())
        there = bool(self.table_model.store.samples)
        self._stack.setCurrentIndex(1 if there else 0)
        self.bar.setVisible(there)
        self._say_count()
        if self._chosen is not None:
            self._show_detail(self._chosen)

    def _say_count(self) -> None:
        self.steps_text.setText("steps {} to {}".format(*self.steps.value()))
        shown, there = len(self.table_model.rows), len(self.table_model.store.samples)
        self.count.setText(f"{shown}" if shown == there else f"{shown} of {there}")

    def _size_columns(self) -> None:
        """Steps and rewards are as wide as their numbers; prompt and completion share the rest."""
        header = self.table.horizontalHeader()
        for column in range(self.table_model.columnCount()):
            text = column in (1, 2)
            mode = QHeaderView.ResizeMode.Stretch if text else QHeaderView.ResizeMode.Interactive
            header.setSectionResizeMode(column, mode)
            if not text:
                title = str(self.table_model.headerData(column, Qt.Orientation.Horizontal))
                width = self.table.fontMetrics().horizontalAdvance(title) + 28
                header.resizeSection(column, min(max(width, 54), 130))

    # The selected sample

    def _choose(self, current: Index) -> None:
        row = current.row()
        if 0 <= row < len(self.table_model.rows):
            self._chosen = self.table_model.rows[row]
            self._show_detail(self._chosen)

    def _after_reset(self) -> None:
        """Filtering and sorting keep the selected sample, wherever it has moved, else start at the top."""
        self.table.scrollToTop()
        rows = self.table_model.rows
        place = next((i for i, sample in enumerate(rows) if sample is self._chosen), None)
        if place is not None:
            flags = QItemSelectionModel.SelectionFlag
            chosen = self.table_model.index(place, 0)
            self.table.selectionModel().select(chosen, flags.ClearAndSelect | flags.Rows)

    def _show_detail(self, sample: Sample) -> None:
        text = _page(sample)
        if text != getattr(self, "_page", None):
            self._page = text
            self.detail.setHtml(text)


def _page(sample: Sample) -> str:
    scores = " &nbsp; ".join(  # each name stays on one line with its number
        f"<span style='color:{MUTED}'>{escape(reward)}</span>&nbsp;<b>{'-' if score is None else number(score)}</b>"
        for reward, score in sample.scores.items()
    )
    head = f"<p><span style='color:{MUTED}'>step</span>&nbsp;<b>{sample.step}</b> &nbsp; {scores}</p>"
    return head + _part("Prompt", ACCENT, sample.prompt) + _part("Completion", GOOD, sample.completion)


def _part(title: str, colour: str, text: str) -> str:
    return (
        f"<p style='color:{colour}; margin-bottom:2px'><b>{title}</b></p>"
        f"<p style='white-space:pre-wrap; margin-top:0'>{escape(text)}</p>"
    )
