"""The conversation with one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QComboBox, QLabel, QTextEdit, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.chat.client import ChatClient
from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, GOOD, MUTED, TEXT
from ryven_llm_nodes.run.chat.models import ChatModel
from ryven_llm_nodes.run.chat.replies import Message, Reply

NO_MODEL: Final = "no model"
LOADING: Final = "loading the model ..."
PLAIN: Final = "No chat template: each message is continued as it is, without those before."


class Column(QWidget):
    """Chooses a model, and shows what was said. ``changed`` signals that a reply began or ended."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.client: ChatClient | None = None
        self.talk: list[Message] = []
        self.model = QComboBox(toolTip="A model of the flow, of an earlier run, or any Hub id or folder")
        self.model.setEditable(True)
        self.model.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.said = QTextEdit(readOnly=True)
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("role", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for widget in (self.model, self.said, self.note):
            column.addWidget(widget)

    def offer(self, models: Sequence[ChatModel]) -> None:
        """Lists ``models``; what is chosen stays."""
        chosen = self.model.currentText()
        self.model.clear()
        self.model.addItem(NO_MODEL, "")
        for one in models:
            self.model.addItem(one.title, one.location)
            self.model.setItemData(self.model.count() - 1, one.location, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentText(chosen or NO_MODEL)

    @property
    def location(self) -> str:
        """The chosen model: that of a listed title, or what was typed; empty for none."""
        index = self.model.findText(self.model.currentText())
        return self.model.itemData(index) if index >= 0 else self.model.currentText().strip()

    @property
    def is_busy(self) -> bool:
        """Whether a reply is awaited."""
        return self.client is not None and self.client.is_busy

    @property
    def last_reply(self) -> str | None:
        """The newest reply, once it has ended."""
        return self.talk[-1]["content"] if self.talk and self.talk[-1]["role"] == "assistant" else None

    def begin(self) -> None:
        """Begins a new conversation."""
        self.talk.clear()
        self.said.clear()

    def say(self, text: str, system: str, sampling: Mapping[str, Any]) -> None:
        """Says ``text`` to the model, if one is chosen."""
        if not self.location or self.is_busy:
            return
        if not self.talk and system:
            self.talk.append({"role": "system", "content": system})
        self.talk.append({"role": "user", "content": text})
        self._write("You", GOOD, f"{text}\n")
        self._write(self.model.currentText(), ACCENT, "")
        self._speaking().ask(self.talk, sampling)
        self.changed.emit()

    def _speaking(self) -> ChatClient:
        if self.client is None or self.client.model != self.location:
            self.close_model()
            self.client = ChatClient(self.location, self)
            self.client.ready.connect(lambda converses: self.note.setText("" if converses else PLAIN))
            self.client.piece.connect(lambda text: self._add(text, TEXT))
            self.client.replied.connect(self._replied)
            self.client.failed.connect(self._failed)
            self.note.setText(LOADING)
        return self.client

    def _replied(self, reply: Reply) -> None:
        self.talk.append({"role": "assistant", "content": reply.text})
        pace = reply.tokens / max(reply.seconds, 1e-3)
        first = f"first after {reply.first_seconds:.1f} s, " if reply.tokens else ""
        self._add(f"\n{reply.tokens} tokens, {first}{pace:.0f} per second{reply.remark}\n", MUTED)
        self.changed.emit()

    def _failed(self, text: str) -> None:
        """The user's turn is taken back, so that it can be said again."""
        if self.talk and self.talk[-1]["role"] == "user":
            self.talk.pop()
        self._add(f"{text}\n", BAD)
        self.note.clear()
        self.changed.emit()

    def _write(self, who: str, colour: str, text: str) -> None:
        self._add(f"\n{who}\n" if self.said.toPlainText() else f"{who}\n", colour, bold=True)
        self._add(text, TEXT)

    def _add(self, text: str, colour: str, bold: bool = False) -> None:
        """Adds text at the end, which stays in sight if it was."""
        bar = self.said.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 4
        style = QTextCharFormat()
        style.setForeground(QColor(colour))
        style.setFontWeight(700 if bold else 400)
        cursor = QTextCursor(self.said.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, style)
        if at_end:
            bar.setValue(bar.maximum())

    def interrupt(self) -> None:
        """Ends the reply."""
        if self.client is not None:
            self.client.interrupt()

    def close_model(self) -> None:
        """Ends the process of the model; what was said stays."""
        if self.client is not None:
            self.client.stop()
            self.client.deleteLater()
            self.client = None
