"""Tells what an import did not take over: each key, with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.canvas.marks import COLOURS
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.tables import Wrapped

SIZE = (860, 420)


def report(parent: QWidget, title: str, told: Sequence[Problem]) -> QDialog:
    """A window, not modal, that lists ``told``; shown at once."""
    dialog = QDialog(parent, windowTitle=title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
    left = sum(one.weight == "warning" for one in told)
    column = QVBoxLayout(dialog)
    column.addWidget(QLabel(f"{left} of the keys could not be taken over; the others are in the flow."))
    column.addWidget(_table(told))
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    column.addWidget(buttons)
    open_with(dialog, *SIZE)
    dialog.show()
    return dialog


def _table(told: Sequence[Problem]) -> QTreeWidget:
    table = QTreeWidget()
    table.setHeaderLabels(["Key", "", "What became of it, and what to do"])
    table.setRootIsDecorated(False)
    table.setWordWrap(True)
    table.setItemDelegate(Wrapped(table))
    table.header().sectionResized.connect(lambda *_: table.doItemsLayout())
    for one in told:
        item = QTreeWidgetItem([one.parameter, "not taken" if one.weight == "warning" else "changed", one.message])
        item.setForeground(1, QColor(COLOURS[one.weight][0]))
        item.setToolTip(2, one.message)
        table.addTopLevelItem(item)
    table.setColumnWidth(0, 200)
    table.setColumnWidth(1, 80)
    return table
