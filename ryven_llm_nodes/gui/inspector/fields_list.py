"""A long list of fields that builds only those that become visible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Final

from qtpy.QtCore import QEvent, QPoint, QRect, QSize
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from ryven_llm_nodes.gui.inspector.field_row import FieldRow

AHEAD: Final = 200
"""Pixels beyond the visible part that are built in advance, so that the tab key finds the next field."""


class FieldsList(QWidget):
    """Shows the rows called ``names``, one below the other.

    ``make`` builds a row, inside the given widget, when it is first
    visible, ``estimate`` estimates its height. Rows are kept once built.
    """

    def __init__(
        self, make: Callable[[str, QWidget], FieldRow], estimate: Callable[[str], int], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._make, self._estimate = make, estimate
        self.rows: dict[str, FieldRow] = {}
        self.names: list[str] = []
        self._tops: list[int] = []
        self._height = 0
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)

    def set_names(self, names: Sequence[str]) -> None:
        """Shows these rows, in this order, and hides all others."""
        self.names = list(names)
        self._arrange()
        wanted = set(names)
        for name, row in list(self.rows.items()):
            row.setVisible(name in wanted)
        self._chain()

    def row(self, name: str) -> FieldRow:
        """The row called ``name``, which is built if it has not been yet."""
        if name not in self.rows:
            self.rows[name] = self._make(name, self)
        return self.rows[name]

    def top_of(self, name: str) -> int:
        """Where the row called ``name`` begins."""
        return self._tops[self.names.index(name)]

    def reveal(self, visible: QRect) -> None:
        """Builds the rows that lie in ``visible`` (in coordinates of this widget), and some more."""
        top, bottom = visible.top() - AHEAD, visible.bottom() + AHEAD
        while missing := self._missing(top, bottom):
            for name in missing:
                self.row(name)
            self._arrange()
            self._chain()

    def _missing(self, top: int, bottom: int) -> list[str]:
        ends = [*self._tops[1:], self._height][: len(self.names)]
        inside = (n for n, y, end in zip(self.names, self._tops, ends, strict=True) if end > top and y < bottom)
        return [name for name in inside if name not in self.rows]

    def layout_now(self) -> None:
        """Places all rows again, for instance after one was built out of view."""
        self._arrange()

    def _arrange(self) -> None:
        """Places the rows built so far, with space for the others."""
        heights = [self._height_of(name) for name in self.names]
        *self._tops, total = accumulate(heights, initial=0)
        for name, top, height in zip(list(self.names), list(self._tops), heights, strict=True):
            row = self.rows.get(name)
            if row is not None:
                row.setGeometry(0, top, self.width(), height)
                row.show()
        if total != self._height:
            self._height = total
            self.setFixedHeight(total)

    def _height_of(self, name: str) -> int:
        row = self.rows.get(name)
        return row.wanted_height(self.width()) if row else self._estimate(name)

    def _chain(self) -> None:
        """Makes the tab key follow the visible order of the rows, not the order in which they were built."""
        built = [self.rows[name].editor for name in self.names if name in self.rows]
        for before, after in pairwise(editor.input() for editor in built if editor is not None):
            QWidget.setTabOrder(before, after)

    def sizeHint(self) -> QSize:
        return QSize(200, self._height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._arrange()

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return handled


def visible_part(inner: QWidget, viewport: QWidget) -> QRect:
    """The part of ``inner`` that is visible through ``viewport``, in coordinates of ``inner``."""
    top_left = inner.mapFrom(viewport, QPoint(0, 0)) if _is_inside(inner, viewport) else QPoint(0, 0)
    return QRect(top_left, viewport.size())


def _is_inside(inner: QWidget, outer: QWidget) -> bool:
    return outer.isAncestorOf(inner)
