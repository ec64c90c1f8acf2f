"""The window Chat: the same message to one or two models, and their answers as training rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QCloseEvent, QGuiApplication, QKeyEvent
from qtpy.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ryven_llm_nodes.gui.chat.column import Column
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.buttons import push_button
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.run.chat.models import ChatModel

SIZE: Final = (860, 620)
INPUT_HEIGHT: Final = 64
FIELD_WIDTH: Final = 76
COPIED: Final = "Copied as a row of an Inline Table: paste it there."
NEEDS_PROMPT: Final = "There is no reply to copy yet."


class ChatWindow(QDialog):
    """Talks to the models that ``models`` lists. Closing it ends their processes."""

    def __init__(self, models: Callable[[], Sequence[ChatModel]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.setWindowTitle("Chat")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, *SIZE)
        self.columns = (Column(), Column())
        self.system = QLineEdit(placeholderText="System prompt, for a new conversation")
        self.temperature = _number(0.7, 0.0, 2.0, "0: always the most probable token")
        self.top_p = _number(1.0, 0.05, 1.0, "Sample from the most probable tokens of this mass")
        self.tokens = QSpinBox(minimum=1, maximum=8192, value=256, toolTip="Tokens of a reply at most")
        self.seed = QSpinBox(maximum=2**31 - 1, toolTip="The same seed gives the same reply")
        self.input = QPlainTextEdit(placeholderText="A message; Enter sends it, Shift+Enter begins a new line")
        self.input.setFixedHeight(INPUT_HEIGHT)
        self.input.installEventFilter(self)
        self.send = push_button("Send", self._send_or_stop)
        self.again = push_button("New", self._begin)
        self.copy = push_button("Copy as Row", lambda: None)
        self.copy.setMenu(self._copy_menu())
        self.word = QLabel()
        self.word.setProperty("role", "muted")
        for column in self.columns:
            column.changed.connect(self._refresh)
        self._lay_out()
        self._refresh()

    def _lay_out(self) -> None:
        options = QHBoxLayout()
        options.addWidget(self.system, 1)
        named = (
            ("temperature", self.temperature),
            ("top p", self.top_p),
            ("tokens", self.tokens),
            ("seed", self.seed),
        )
        for name, field in named:
            field.setFixedWidth(FIELD_WIDTH)
            options.addWidget(QLabel(name))
            options.addWidget(field)
        talks = QHBoxLayout()
        for column in self.columns:
            talks.addWidget(column, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.word, 1)
        for button in (self.copy, self.again, self.send):
            buttons.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setSpacing(8)
        rows.addLayout(options)
        rows.addLayout(talks, 1)
        rows.addWidget(self.input)
        rows.addLayout(buttons)

    def _copy_menu(self) -> QMenu:
        menu = QMenu(self)
        for text, copy in (
            ("Left reply, for SFT", lambda: self._copy_row(0)),
            ("Right reply, for SFT", lambda: self._copy_row(1)),
            ("Preference pair: left is chosen", lambda: self._copy_pair(0)),
            ("Preference pair: right is chosen", lambda: self._copy_pair(1)),
        ):
            menu.addAction(text).triggered.connect(copy)
        return menu

    def open(self, model: ChatModel | None = None) -> None:
        """Shows the window, with the models as they are now, and on the left ``model``, if one is given."""
        models = list(self._models())
        models += [model] if model and model.location not in {one.location for one in models} else []
        for column in self.columns:
            column.offer(models)
        if model is not None:
            title = next(one.title for one in models if one.location == model.location)
            self.columns[0].model.setCurrentText(title)
        elif models and not self.columns[0].location:
            self.columns[0].model.setCurrentText(models[0].title)
        self.show()
        self.raise_()
        self.activateWindow()
        self.input.setFocus()

    # Talking

    @property
    def is_busy(self) -> bool:
        """Whether a reply is awaited."""
        return any(column.is_busy for column in self.columns)

    def sampling(self) -> dict[str, Any]:
        """The settings of the next reply."""
        return {
            "temperature": self.temperature.value(),
            "top_p": self.top_p.value(),
            "max_new_tokens": self.tokens.value(),
            "seed": self.seed.value(),
        }

    def _send_or_stop(self) -> None:
        if self.is_busy:
            for column in self.columns:
                column.interrupt()
            return
        text = self.input.toPlainText().strip()
        if not any(column.location for column in self.columns):
            self.word.setText("Choose a model above.")
        elif text:
            self.input.clear()
            self.word.clear()
            for column in self.columns:
                column.say(text, self.system.text().strip(), self.sampling())

    def _begin(self) -> None:
        for column in self.columns:
            column.interrupt()
            column.begin()
        self.word.clear()
        self._refresh()

    def _refresh(self) -> None:
        self.send.setText("Stop" if self.is_busy else "Send")
        self.again.setEnabled(not self.is_busy)
        self.copy.setEnabled(any(column.last_reply for column in self.columns))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter sends; with Shift it begins a new line."""
        if watched is not self.input or not _is_enter(event):
            return super().eventFilter(watched, event)
        if not self.is_busy:
            self._send_or_stop()
        return True

    # Training rows

    def _copy_row(self, index: int) -> None:
        column = self.columns[index]
        if column.last_reply is None:
            self.word.setText(NEEDS_PROMPT)
            return
        self._put({"messages": column.talk})

    def _copy_pair(self, chosen: int) -> None:
        best, other = self.columns[chosen], self.columns[1 - chosen]
        if best.last_reply is None or other.last_reply is None:
            self.word.setText("A pair needs a reply of both models.")
            return
        if best.talk[:-1] != other.talk[:-1]:
            self.word.setText("The models have been told different things; begin a new conversation for a pair.")
            return
        self._put({"prompt": best.talk[:-1], "chosen": best.talk[-1:], "rejected": other.talk[-1:]})

    def _put(self, row: dict[str, Any]) -> None:
        QGuiApplication.clipboard().setText(json.dumps(row, ensure_ascii=False))
        self.word.setText(COPIED)

    # Closing

    def closeEvent(self, event: QCloseEvent) -> None:
        """Gives the memory of the models back."""
        self.end()
        super().closeEvent(event)

    def reject(self) -> None:
        """Esc closes it like its button."""
        self.close()

    def end(self) -> None:
        """Ends the processes of the models."""
        for column in self.columns:
            column.close_model()
        self._refresh()


def _is_enter(event: QEvent) -> bool:
    is_key = isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress
    keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
    return is_key and event.key() in keys and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier


def _number(value: float, least: float, most: float, tip: str) -> QDoubleSpinBox:
    return QDoubleSpinBox(minimum=least, maximum=most, value=value, singleStep=0.05, decimals=2, toolTip=tip)
