"""Tables with row selection, by mouse or keys, that is kept when they are refilled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QToolTip,
)

from ryven_llm_nodes.gui.style.colours import BRIGHT, CHOSEN, FAINT, STRIPE, TEXT

Index = QModelIndex | QPersistentModelIndex
HEADER_HEIGHT, ROW_HEIGHT = 26, 25
MARGIN = 8
_KEY = Qt.ItemDataRole.UserRole
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class Tips(QStyledItemDelegate):
    """Shows the text of a cell that has no room for it as its tooltip, unless it has another one."""

    def helpEvent(self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index) -> bool:
        text = str(index.data() or "")
        is_short = view.fontMetrics().horizontalAdvance(text) <= option.rect.width() - 2 * MARGIN
        if is_short or index.data(Qt.ItemDataRole.ToolTipRole):
            return super().helpEvent(event, view, option, index)
        QToolTip.showText(event.globalPos(), text, view)
        return True


class Wrapped(Tips):
    """Gives a cell of a tree the lines that its text takes at the width of its column, which a tree does not tell."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        usual, width = super().sizeHint(option, index), option.widget.columnWidth(index.column()) - 2 * MARGIN
        lines = option.fontMetrics.boundingRect(0, 0, width, 0, Qt.TextFlag.TextWordWrap, str(index.data() or ""))
        return QSize(usual.width(), usual.height() + lines.height() - option.fontMetrics.height())


class Cells(Tips):
    """Paints the cells itself: the style sheet of the window would override the colours of single cells."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.fillRect(option.rect, QColor(CHOSEN))
        elif index.row() % 2:
            painter.fillRect(option.rect, QColor(STRIPE))
        box = option.rect.adjusted(MARGIN, 0, -MARGIN, 0)
        colour = index.data(Qt.ItemDataRole.ForegroundRole) or QColor(BRIGHT if chosen else TEXT)
        align = index.data(Qt.ItemDataRole.TextAlignmentRole) or _LEFT
        elided = option.fontMetrics.elidedText(index.data(), Qt.TextElideMode.ElideRight, box.width())
        painter.setFont(option.font)
        painter.setPen(colour)
        painter.drawText(box, align, elided)


@dataclass(frozen=True)
class Cell:
    """The text of a cell; ``colour`` is empty for the default one."""

    text: str
    colour: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Row:
    """Cells; a row that is not ``enabled`` is greyed and cannot be selected."""

    cells: Sequence[Cell | str]
    enabled: bool = True


class Table(QTableWidget):
    """Read-only rows, each with a key. ``chosen`` signals a new selection, ``opened`` Enter or a double click.

    The column ``stretch`` takes the remaining width; those in ``right`` contain numbers.
    """

    chosen = Signal()
    opened = Signal()
    sorted_by = Signal(int)
    """A click on the header of a column."""

    def __init__(self, titles: Sequence[str], stretch: int = 0, right: Sequence[int] = (), most: int = 340) -> None:
        super().__init__(0, len(titles))
        self._most, self._rows = most, {}
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setItemDelegate(Cells(self))
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.set_columns(titles, stretch, right)
        self.itemSelectionChanged.connect(self.chosen)
        self.activated.connect(self._open)

    def set_columns(self, titles: Sequence[str], stretch: int = 0, right: Sequence[int] = ()) -> None:
        """Gives it other columns; rows are to be shown again, with what was chosen: a row with a new cell is not."""
        self._right, self._stretch, self._rows = set(right), stretch, {}
        self.blockSignals(True)
        self.setColumnCount(len(titles))
        self.blockSignals(False)
        self.setHorizontalHeaderLabels(list(titles))
        self._dress_headers()

    def share_width(self) -> None:
        """Gives the first column what it needs, and all others equal parts of the rest, so that none is out of view."""
        header = self.horizontalHeader()
        self.shorten_titles()
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def shorten_titles(self) -> None:
        """Shortens the titles of narrow columns, which their tooltips show in full."""
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for column in range(self.columnCount()):
            item = self.horizontalHeaderItem(column)
            item.setToolTip(item.text())

    def make_sortable(self) -> None:
        """Lets the user click on headers; the one who fills the table sorts the rows."""
        header = self.horizontalHeader()
        header.sectionPressed.disconnect()  # Qt selects all of the column
        header.sectionClicked.connect(self.sorted_by)

    def show_order(self, column: int | None, ascending: bool) -> None:
        """Marks the column that rows are sorted by."""
        for place in range(self.columnCount()):
            item = self.horizontalHeaderItem(place)
            plain = item.text().rstrip(" ▲▼")
            item.setText(f"{plain} {'▲' if ascending else '▼'}" if place == column else plain)

    def _dress_headers(self) -> None:
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setFixedHeight(HEADER_HEIGHT)
        for column in range(self.columnCount()):
            self.horizontalHeaderItem(column).setTextAlignment(_RIGHT if column in self._right else _LEFT)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(self._stretch, QHeaderView.ResizeMode.Stretch)

    def show_rows(self, rows: Mapping[str, Row], chosen: Sequence[str] | None = None) -> None:
        """Replaces all rows; the selection is kept, or is ``chosen``."""
        if list(rows.items()) == list(self._rows.items()):
            return
        keys, current = self.chosen_keys() if chosen is None else chosen, self._key_at(self.currentRow())
        self.blockSignals(True)
        self._fill(rows)
        self._choose(keys, current)
        self.blockSignals(False)
        self.chosen.emit()

    def _fill(self, rows: Mapping[str, Row]) -> None:
        self._rows = dict(rows)
        self.clearSelection()
        self.setRowCount(len(rows))
        for place, (key, row) in enumerate(rows.items()):
            for column, cell in enumerate(row.cells):
                self.setItem(place, column, self._item(cell if isinstance(cell, Cell) else Cell(cell), key, row))
            for column in self._right:
                self.item(place, column).setData(Qt.ItemDataRole.TextAlignmentRole, _RIGHT)
        self._size_columns()

    def _item(self, cell: Cell, key: str, row: Row) -> QTableWidgetItem:
        item = QTableWidgetItem(cell.text)
        item.setData(_KEY, key)
        item.setToolTip(cell.tip)
        if not row.enabled:
            item.setFlags(Qt.ItemFlag.NoItemFlags)
        colour = cell.colour if row.enabled or cell.colour else FAINT
        if colour:
            item.setData(Qt.ItemDataRole.ForegroundRole, QColor(colour))
        return item

    def _size_columns(self) -> None:
        for column in range(self.columnCount()):
            if column != self._stretch:
                self.resizeColumnToContents(column)
                self.setColumnWidth(column, min(self.columnWidth(column) + 14, self._most))

    def _choose(self, keys: Sequence[str], current: str) -> None:
        selection = self.selectionModel()
        flags = selection.SelectionFlag
        for place in range(self.rowCount()):
            key = self._key_at(place)
            if key == current:
                selection.setCurrentIndex(self.model().index(place, 0), flags.NoUpdate)
            if key in keys and self._rows[key].enabled:
                selection.select(self.model().index(place, 0), flags.Select | flags.Rows)

    def _open(self, *_: object) -> None:
        self.opened.emit()

    def chosen_keys(self) -> list[str]:
        """The keys of the selected rows, from top to bottom."""
        return [self._key_at(index.row()) for index in sorted(self.selectionModel().selectedRows())]

    def choose(self, *keys: str) -> None:
        """Selects these rows only."""
        self.blockSignals(True)
        self.clearSelection()
        self._choose(keys, keys[0] if keys else "")
        self.blockSignals(False)
        self.chosen.emit()

    def _key_at(self, place: int) -> str:
        item = self.item(place, 0) if place >= 0 else None
        return str(item.data(_KEY)) if item is not None else ""

    def show_all_rows(self) -> None:
        """Makes the table as high as its rows, for a page that scrolls."""
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(HEADER_HEIGHT + self.rowCount() * ROW_HEIGHT + 2)
