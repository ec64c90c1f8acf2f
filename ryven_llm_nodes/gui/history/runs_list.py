"""The list of the run history: filtered by text, with the columns and in the order that its user chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QToolButton, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.history.columns import RUN, Column, columns_of, fill_menu, in_order
from ryven_llm_nodes.gui.widgets.placeholder import WithPlaceholder
from ryven_llm_nodes.gui.widgets.tables import Row, Table
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.run.records.facts import Facts
from ryven_llm_nodes.run.records.filtering import matches
from ryven_llm_nodes.run.records.history import PastRun

FILTER: Final = "Filter: words, or sft.learning_rate<1e-5, loss<0.5, status=done"
FILTER_TIP: Final = (
    "Words are looked for in names, notes, flows, states and settings. A setting or a final metric can be compared "
    "(= != < <= > >=), with or without the name of its node."
)
NONE_FITS: Final = "No run fits the filter."
SORT_TIP: Final = "A click on a title sorts by it, a second one the other way round, a third one by date"


class RunsList(QWidget):
    """The runs that it is given, each a row with its folder as key. ``filtered`` signals that others are shown."""

    filtered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, tuple[PastRun, Facts]] = {}
        self.columns: list[Column] = [RUN]
        self._order: tuple[str, bool] | None = None
        self.filter = QLineEdit(placeholderText=FILTER, toolTip=FILTER_TIP, clearButtonEnabled=True)
        self.filter.setObjectName("search")
        self.filter.textChanged.connect(self._filter)
        self.table = Table([RUN.title])
        self.table.make_sortable()
        self.table.horizontalHeader().setToolTip(SORT_TIP)
        self.table.sorted_by.connect(self._sort)
        self.content = WithPlaceholder(self.table)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self._bar())
        column.addWidget(self.content, 1)

    def _bar(self) -> QHBoxLayout:
        self.menu_button = QToolButton(text="Columns ▾", popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setToolTip("Settings that differ between runs, and final metrics, as columns")
        self.menu = QMenu(self.menu_button)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.menu_button.setMenu(self.menu)
        row = QHBoxLayout()
        row.addWidget(self.filter, 1)
        row.addWidget(self.count)
        row.addWidget(self.menu_button)
        return row

    def fill_menu(self) -> None:
        """Lists the columns that there could be."""
        fill_menu(self.menu, [facts for _, facts in self.known.values()], weakly(self.show_again))

    # Rows

    def show_runs(self, known: Mapping[str, tuple[PastRun, Facts]]) -> None:
        """Shows these runs, given newest first, as far as they fit the filter."""
        self.known = dict(known)
        self.show_again()

    def shown(self) -> list[tuple[PastRun, Facts]]:
        """The runs that fit the filter, in their order."""
        query = self.filter.text()
        fitting = [one for one in self.known.values() if matches(*one, query)]
        column = next((one for one in self.columns if self._order and one.key == self._order[0]), None)
        return in_order(fitting, column, self._order[1]) if column and self._order else fitting

    def show_again(self) -> None:
        """Shows columns and rows as they are chosen now; the selection is kept."""
        keys = self.table.chosen_keys()
        columns = columns_of(list(self.known.values()))
        if [one.key for one in columns] != [one.key for one in self.columns]:
            self.columns = columns
            right = [place for place, one in enumerate(columns) if one.right]
            self.table.set_columns([one.title for one in columns], len(columns) - 1, right)
        self._mark_order()
        rows = {str(run.folder): Row([one.cell(run, facts) for one in columns]) for run, facts in self.shown()}
        self.table.show_rows(rows, keys)
        self._say(len(rows))

    def _say(self, count: int) -> None:
        total = len(self.known)
        self.count.setText(f"{count} of {total}" if self.filter.text() else "")
        if count:
            self.content.show_content()
        elif total:
            self.content.say(NONE_FITS)

    def _filter(self) -> None:
        self.show_again()
        self.filtered.emit()

    # Order

    def _sort(self, place: int) -> None:
        """The smallest first, then the largest, then by date again."""
        key = self.columns[place].key
        if self._order is None or self._order[0] != key:
            self._order = key, True
        else:
            self._order = (key, False) if self._order[1] else None
        self.show_again()

    def _mark_order(self) -> None:
        keys = [one.key for one in self.columns]
        if self._order and self._order[0] in keys:
            self.table.show_order(keys.index(self._order[0]), self._order[1])
        else:
            self.table.show_order(None, True)
