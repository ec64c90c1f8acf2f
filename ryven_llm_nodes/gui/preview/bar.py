"""The bar of the preview: which node, which row of how many, and how to reach another."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QIntValidator
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from ryven_llm_nodes.gui.style.colours import BAD, BRIGHT, CUT, MUTED, TRAINED_NEXT
from ryven_llm_nodes.gui.style.rich_text import bold


class PreviewBar(QWidget):
    """``wanted`` signals the row that the user wants to see, ``paged`` by how many pages to go on."""

    wanted = Signal(str)
    paged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_row, self._row, self._total = True, 0, 0
        self.title, self.of = QLabel(), QLabel()
        self.of.setProperty("role", "muted")
        self.number = QLineEdit(fixedWidth=64)
        self.number.setToolTip("The number of the row, from 1")
        self.number.returnPressed.connect(lambda: self.wanted.emit(self.number.text()))
        self.before = _button("◀", "The row before", lambda: self._go(-1))
        self.after = _button("▶", "The next row", lambda: self._go(1))
        self.random = _button("Random", "A random row", lambda: self.wanted.emit("random"))
        self.worst = _button(
            "Worst", "The row that loses most to max_length, or the longest", lambda: self.wanted.emit("worst")
        )
        self.legend = QLabel(
            f"<span style='background:{TRAINED_NEXT}; color:{BRIGHT}'>&nbsp;trained&nbsp;</span> "
            f"<span style='color:{MUTED}'>&nbsp;read only&nbsp;</span> "
            f"<span style='background:{CUT}; color:{BAD}'><s>&nbsp;cut&nbsp;</s></span>"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (self.title, self.before, self.number, self.of, self.after, self.random, self.worst):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.legend)

    def show_row(self, node: str, row: int, total: int) -> None:
        """One row of ``total``."""
        self._show(node, True, row, total)
        self.of.setText(f"of {total:,} rows")
        self.number.setText(str(row))
        self.number.setValidator(QIntValidator(1, max(total, 1), self))

    def show_page(self, node: str, first: int, rows: int, total: int) -> None:
        """``rows`` rows from ``first`` on."""
        self._show(node, False, first, total)
        self.of.setText(f"rows {first:,} to {first + rows - 1:,} of {total:,}" if rows else "no rows")
        self.before.setEnabled(first > 1)
        self.after.setEnabled(first + rows <= total)

    def _show(self, node: str, is_row: bool, row: int, total: int) -> None:
        self._is_row, self._row, self._total = is_row, row, total
        self.title.setText(bold(node))
        for widget in (self.number, self.random, self.worst, self.legend):
            widget.setVisible(is_row)
        self.before.setEnabled(row > 1)
        self.after.setEnabled(row < total)

    def _go(self, steps: int) -> None:
        if self._is_row:
            self.wanted.emit(str(self._row + steps))
        else:
            self.paged.emit(steps)


def _button(text: str, tip: str, does: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(does)
    return button
