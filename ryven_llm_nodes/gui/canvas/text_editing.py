"""Writes a text in its place on the canvas."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFont, QPainter, QTextCursor
from qtpy.QtWidgets import QGraphicsItem, QGraphicsTextItem

from ryven_llm_nodes.gui.style.colours import ACCENT, BRIGHT, SURFACE
from ryven_llm_nodes.gui.style.theme import TITLE_FONT


class TextEditing(QGraphicsTextItem):
    """An editor over ``box`` of ``parent``. Enter ends one of a ``single`` line, Ctrl+Enter any; Esc takes it back."""

    ended = Signal(object)
    """The text, or None if it was taken back; the editor is gone then."""

    def __init__(self, parent: QGraphicsItem, text: str, box: QRectF, pixels: int, single: bool) -> None:
        super().__init__(parent)
        self._single, self._has_ended = single, False
        font = QFont(TITLE_FONT[0])
        font.setPixelSize(pixels)
        self.setFont(font)
        self.setDefaultTextColor(QColor(BRIGHT))
        self.setPlainText(text)
        self.setTextWidth(max(box.width(), 8 * pixels))
        self.setPos(box.topLeft())
        self.setZValue(1)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextEditorInteraction)
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        self.setTextCursor(cursor)

    def keyPressEvent(self, event: Any) -> None:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self._end(None)
        elif is_enter and (self._single or event.modifiers() & Qt.KeyboardModifier.ControlModifier):
            self._end(self.toPlainText())
        else:
            super().keyPressEvent(event)
        event.accept()

    def sceneEvent(self, event: Any) -> bool:
        """Letters are text here, not keys of commands."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().sceneEvent(event)

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._end(self.toPlainText())

    def _end(self, text: str | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self.ended.emit(" ".join(text.split()) if text is not None and self._single else text)
        self.hide()
        self.deleteLater()

    def paint(self, painter: QPainter, option: Any, widget: Any = None) -> None:
        painter.setPen(QColor(ACCENT))
        painter.setBrush(QColor(SURFACE))
        painter.drawRoundedRect(self.boundingRect(), 4, 4)
        super().paint(painter, option, widget)
