"""Python text with line numbers and highlighting, to read or to edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from qtpy.QtCore import QEvent, QRect, QSize, Qt, QTimer, Signal
from qtpy.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QTextCursor,
    QTextFormat,
)
from qtpy.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from ryven_llm_nodes.gui.code.highlight import PythonHighlighter
from ryven_llm_nodes.gui.code.suggestions import Suggestions
from ryven_llm_nodes.gui.style.colours import BAD, MUTED, SURFACE, TEXT
from ryven_llm_nodes.gui.style.fonts import mono_font

INDENT: Final = "    "
QUIET_MS: Final = 300


class CodeView(QPlainTextEdit):
    """An editor for Python. ``edited`` carries the text, once typing has paused or the focus has left.

    ``Tab`` is four spaces, a new line keeps the indentation and adds to it after a colon. With ``root``, the folder of
    modules next to the flow file, names and signatures are suggested.
    """

    edited = Signal(str)

    def __init__(
        self,
        text: str = "",
        read_only: bool = True,
        parent: QWidget | None = None,
        root: Callable[[], Path | None] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setReadOnly(read_only)
        self.setFont(mono_font())
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabStopDistance(self.fontMetrics().horizontalAdvance(INDENT))
        self._own_colours()
        self._highlighter = PythonHighlighter(self.document())
        self.suggestions = Suggestions(self, root) if root else None
        self._error_lines: set[int] = set()
        self._numbers = _LineNumbers(self)
        self._quiet = QTimer(self, singleShot=True, interval=QUIET_MS)
        self._quiet.timeout.connect(self.flush)
        self._said = ""
        self._connect()
        self.set_text(text)

    def _own_colours(self) -> None:
        # set here too, so that the view is dark in any window
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(SURFACE))
        palette.setColor(QPalette.ColorRole.Text, QColor(TEXT))
        self.setPalette(palette)

    def _connect(self) -> None:
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._numbers.follow)
        self.cursorPositionChanged.connect(self._numbers.update)
        self.textChanged.connect(self._on_text_changed)

    # The text

    def text(self) -> str:
        """The full text."""
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Shows ``text``, and keeps the cursor where the text before it is unchanged; emits nothing."""
        if text == self.text() and self._said == text:
            return
        place, scrolled = self.textCursor().position(), self.verticalScrollBar().value()
        self._said = text
        self.setPlainText(text)
        self._quiet.stop()
        cursor = self.textCursor()
        cursor.setPosition(min(place, max(self.document().characterCount() - 1, 0)))
        self.setTextCursor(cursor)
        self.verticalScrollBar().setValue(scrolled)
        self._make_room()

    def flush(self) -> None:
        """Emits ``edited`` at once if there is a pending edit."""
        self._quiet.stop()
        if self.is_edited():
            self._said = self.text()
            self.edited.emit(self._said)

    def is_edited(self) -> bool:
        """Whether there is a pending edit, not yet emitted."""
        return not self.isReadOnly() and self.text() != self._said

    def _on_text_changed(self) -> None:
        if self.is_edited():
            self._quiet.start()

    def set_error_lines(self, lines: Iterable[int]) -> None:
        """Marks ``lines`` (from 1) as wrong, and no others."""
        self._error_lines = set(lines)
        self.setExtraSelections([self._error_selection(line) for line in sorted(self._error_lines)])
        self._numbers.update()

    def go_to(self, line: int) -> None:
        """Places the cursor at the beginning of ``line`` (from 1), and shows it."""
        self.setTextCursor(QTextCursor(self.document().findBlockByNumber(line - 1)))
        self.centerCursor()
        self.setFocus()

    def _error_selection(self, line: int) -> QTextEdit.ExtraSelection:
        mark = QTextEdit.ExtraSelection()
        background = QColor(BAD)
        background.setAlpha(45)
        mark.format.setBackground(background)
        mark.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        mark.cursor = QTextCursor(self.document().findBlockByNumber(line - 1))
        return mark

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.suggestions is not None and self.suggestions.takes(event):
            return
        if self.isReadOnly():
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self._shift_lines(-1 if event.key() == Qt.Key.Key_Backtab else 1)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._new_line()
        elif event.key() == Qt.Key.Key_Backspace and self._is_at_indent():
            self._remove_indent()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # the tab key belongs to the text, not to the chain of fields
        if event.type() == QEvent.Type.KeyPress and not self.isReadOnly() and _is_tab(event):
            self.keyPressEvent(event)
            return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.flush()

    def _new_line(self) -> None:
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        indent = before[: len(before) - len(before.lstrip())]
        code = before.split("#")[0].rstrip()
        cursor.insertText("\n" + indent + (INDENT if code.endswith(":") else ""))
        self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def _is_at_indent(self) -> bool:
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        return not cursor.hasSelection() and before.endswith(INDENT) and not before.strip()

    def _remove_indent(self) -> None:
        cursor = self.textCursor()
        keep = QTextCursor.MoveMode.KeepAnchor
        cursor.movePosition(QTextCursor.MoveOperation.PreviousCharacter, keep, len(INDENT))
        cursor.removeSelectedText()

    def _shift_lines(self, direction: int) -> None:
        """Indents at the cursor, or moves all selected lines; ``direction`` -1 moves them to the left."""
        cursor = self.textCursor()
        if direction > 0 and not cursor.hasSelection():
            cursor.insertText(" " * (len(INDENT) - cursor.positionInBlock() % len(INDENT)))
            return
        document = self.document()
        first = document.findBlock(cursor.selectionStart()).blockNumber()
        last = document.findBlock(cursor.selectionEnd()).blockNumber()
        cursor.beginEditBlock()
        for number in range(first, last + 1):
            self._shift_line(QTextCursor(document.findBlockByNumber(number)), direction)
        cursor.endEditBlock()

    @staticmethod
    def _shift_line(cursor: QTextCursor, direction: int) -> None:
        if direction > 0:
            cursor.insertText(INDENT)
            return
        text = cursor.block().text()
        for _ in range(min(len(INDENT), len(text) - len(text.lstrip(" ")))):
            cursor.deleteChar()

    # Line numbers

    def _make_room(self) -> None:
        self.setViewportMargins(self._numbers.width_needed(), 0, 0, 0)
        self._place_numbers()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_numbers()

    def _place_numbers(self) -> None:
        inside = self.contentsRect()
        self._numbers.setGeometry(QRect(inside.left(), inside.top(), self._numbers.width_needed(), inside.height()))

    def paint_numbers(self, area: QRect, painter: QPainter) -> None:
        """Paints the numbers of the lines that lie in ``area``."""
        painter.fillRect(area, QColor(SURFACE))
        painter.setFont(self.font())
        current, width = self.textCursor().blockNumber(), self._numbers.width() - 8
        block = self.firstVisibleBlock()
        while block.isValid():
            box = self.blockBoundingGeometry(block).translated(self.contentOffset())
            if box.top() > area.bottom():
                break
            number = block.blockNumber()
            is_bad = number + 1 in self._error_lines
            painter.setPen(QColor(BAD if is_bad else TEXT if number == current else MUTED))
            painter.drawText(0, int(box.top()), width, int(box.height()), Qt.AlignmentFlag.AlignRight, str(number + 1))
            block = block.next()


LINE: Final = re.compile(r"\bline (\d+)")
"""How a message names a line of code."""


def lines_in(message: str) -> list[int]:
    """The lines that a message about code names."""
    return [int(line) for line in LINE.findall(message)]


def _is_tab(event: QEvent) -> bool:
    return isinstance(event, QKeyEvent) and event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)


class _LineNumbers(QWidget):
    """The strip on the left of a :class:`CodeView`."""

    def __init__(self, view: CodeView) -> None:
        super().__init__(view)

    @property
    def _view(self) -> CodeView:
        view = self.parentWidget()  # not kept: see form_weak
        assert isinstance(view, CodeView)
        return view

    def width_needed(self) -> int:
        digits = max(2, len(str(self._view.blockCount())))
        return self._view.fontMetrics().horizontalAdvance("9") * digits + 16

    def sizeHint(self) -> QSize:
        return QSize(self.width_needed(), 0)

    def follow(self, area: QRect, dy: int) -> None:
        if dy:
            self.scroll(0, dy)
        else:
            self.update(0, area.y(), self.width(), area.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._view.paint_numbers(event.rect(), painter)
        painter.end()
