"""Searches the commands of the editor by what they are called and what they do; Enter does the one that is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent
from qtpy.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout

from ryven_llm_nodes.gui.style.colours import FAINT
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with

SIZE: Final = (560, 380)
TOP: Final = 90
PROMPT: Final = "What do you want to do?"
WHICH: Final = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Command:
    """A command: its ``text``, what it does in words, whether it is available, and what does it.

    ``aside`` stands next to the text: its key, for instance.
    """

    text: str
    tip: str
    aside: str
    enabled: bool
    does: Callable[[], object]

    def rank(self, wanted: str) -> int | None:
        """How well it fits, 0 the best; None if it does not."""
        text, words = self.text.lower(), wanted.lower().split()
        if all(word in text for word in words):
            return 0 if text.startswith(wanted.lower()) else 1
        return 2 if all(word in f"{text} {self.tip.lower()}" for word in words) else None


class Finder(QDialog):
    """A field and a list, in front of the window."""

    pointed = Signal(int)
    """Another command is marked, by its place in what was given; -1 where there is none."""

    def __init__(self, parent: Any, commands: Iterable[Command], prompt: str = PROMPT) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setObjectName("panel")
        self.setStyleSheet(PANEL_STYLE)
        self._commands = list(commands)
        self.search = QLineEdit(placeholderText=prompt)
        self.search.setObjectName("search")
        self.list = QListWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.search)
        column.addWidget(self.list)
        self.search.textChanged.connect(self._filter)
        self.search.installEventFilter(self)
        self.list.itemClicked.connect(self._take)
        self.list.currentItemChanged.connect(lambda item, _: self.pointed.emit(item.data(WHICH) if item else -1))
        self._filter("")
        open_with(self, *SIZE)

    def open_over(self) -> None:
        """Shows it at the top of the window."""
        window = self.parentWidget()
        self.open_at(window.mapToGlobal(QPoint((window.width() - self.width()) // 2, TOP)))

    def open_at(self, place: QPoint) -> None:
        """Shows it with its corner at ``place`` on the screen."""
        self.move(place)
        self.show()
        self.search.setFocus()

    def _filter(self, wanted: str) -> None:
        self.list.clear()
        ranked = [(rank, place) for place, one in enumerate(self._commands) if (rank := one.rank(wanted)) is not None]
        for _, place in sorted(ranked, key=lambda found: (found[0], not self._commands[found[1]].enabled, found[1])):
            self.list.addItem(self._item(place))
        self.list.setCurrentRow(0)

    def _item(self, place: int) -> QListWidgetItem:
        command = self._commands[place]
        item = QListWidgetItem(f"{command.text}    {command.aside}" if command.aside else command.text)
        item.setToolTip(command.tip)
        item.setData(WHICH, place)
        if not command.enabled:
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            item.setForeground(QColor(FAINT))
        return item

    def _take(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            command = self._commands[item.data(WHICH)]
            self.close()
            command.does()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The arrows choose while the field has the focus."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            if (key := Qt.Key(event.key())) in steps:
                row = self.list.currentRow() + steps[key]
                self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take(self.list.currentItem())
                return True
        return False
