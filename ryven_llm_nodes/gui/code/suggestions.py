"""Suggestions of a code editor while typing: names to choose from, and the signature of the current call."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QCoreApplication, QObject, QProcess, QStringListModel, Qt, QTimer, Signal
from qtpy.QtGui import QKeyEvent, QTextCursor
from qtpy.QtWidgets import QCompleter, QPlainTextEdit, QToolTip

from ryven_llm_nodes.gui.style.colours import BORDER, FIELD, SELECTION, TEXT

PAUSE_MS: Final = 120
ENDS: Final = 3
"""How often the assistant may exit by itself before it is not started again."""
CHOOSING: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Escape)
POPUP_STYLE: Final = (
    f"QListView {{ background: {FIELD}; color: {TEXT}; border: 1px solid {BORDER} }}"
    f"QListView::item:selected {{ background: {SELECTION} }}"
)


class Assistant(QObject):
    """Asks the process of :mod:`~ryven_llm_nodes.gui.code.assistant`; ``answered`` carries each answer.

    While one request is being answered the newest other one waits, and those in between are dropped.
    """

    answered = Signal(dict)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked = 0
        self._ended = 0
        self._is_busy = False
        self._next: dict[str, Any] | None = None
        self._process = QProcess(self)
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.ForwardedErrorChannel)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)

    def ask(self, code: str, line: int, column: int, root: str) -> int:
        """Requests suggestions for a position; returns the number that the answer will have."""
        self._asked += 1
        self._next = {"id": self._asked, "code": code, "line": line, "column": column, "root": root}
        self._send()
        return self._asked

    def _send(self) -> None:
        if self._process.state() == QProcess.ProcessState.NotRunning and self._ended < ENDS:
            # it imports from the same paths as this process, and nothing from the working directory
            paths = [path for path in sys.path if path]
            code = f"import sys; sys.path[:] = {paths!r}; from ryven_llm_nodes.gui.code.assistant import main; main()"
            self._process.start(sys.executable, ["-c", code])
        if self._next is not None and not self._is_busy:
            self._is_busy = True
            self._process.write(json.dumps(self._next).encode() + b"\n")
            self._next = None

    def _read(self) -> None:
        while self._process.canReadLine():
            self._is_busy = False
            self.answered.emit(json.loads(bytes(self._process.readLine().data())))
        self._send()

    def _on_finished(self) -> None:
        self._is_busy = False
        self._ended += 1
        if self._next is not None:
            self._send()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._ended = ENDS
            print(f"no completions: {sys.executable} does not start: {self._process.errorString()}", file=sys.stderr)

    def close(self) -> None:
        """Ends the process, and starts no other."""
        self._ended = ENDS
        self._process.kill()
        self._process.waitForFinished(1000)


_assistant: Assistant | None = None


def assistant() -> Assistant:
    """The only instance. Its process is started with the first request, and ends with the application."""
    global _assistant
    if _assistant is None:
        _assistant = Assistant()
        QCoreApplication.instance().aboutToQuit.connect(_assistant.close)
    return _assistant


class Suggestions(QObject):
    """Suggests in the editor ``view``, which it belongs to. Ctrl+Space requests names if nothing has been typed."""

    def __init__(self, view: QPlainTextEdit, root: Callable[[], Path | None]) -> None:
        super().__init__(view)
        self._root = root
        self._number = 0
        self._place = -1
        self._names = QStringListModel(self)
        self.completer = QCompleter(self._names, self)
        self.completer.setWidget(view)
        self.completer.popup().setStyleSheet(POPUP_STYLE)
        self.completer.activated.connect(self._insert)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self.ask)
        view.cursorPositionChanged.connect(self._on_moved)
        assistant().answered.connect(self._on_answer)

    @property
    def _view(self) -> QPlainTextEdit:
        view = self.parent()  # not stored: a reference cycle would outlive the editor
        assert isinstance(view, QPlainTextEdit)
        return view

    def _prefix(self) -> str:
        """The part of a name before the cursor."""
        cursor = self._view.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        start = len(before)
        while start and (before[start - 1].isalnum() or before[start - 1] == "_"):
            start -= 1
        return before[start:]

    # Keys

    def takes(self, event: QKeyEvent) -> bool:
        """Whether a key is for the suggestions; the editor calls this first. Other keys may start a request."""
        popup = self.completer.popup()
        if popup.isVisible() and event.key() in CHOOSING:
            event.ignore()  # the popup, which passes all keys on, then does what they mean there
            return True
        if event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            self.ask()
            return True
        if event.text().isalnum() or event.text() in ("_", ".", "(", ","):
            self._pause.start()
        elif event.text():
            self._pause.stop()
            popup.hide()
            QToolTip.hideText()
        return False

    def _on_moved(self) -> None:
        """Narrows the visible names; new ones are requested meanwhile."""
        if self.completer.popup().isVisible():
            self._show(self._prefix())

    # Requests and answers

    def ask(self) -> None:
        """Requests suggestions at the cursor."""
        cursor = self._view.textCursor()
        self._place = cursor.position()
        place = cursor.blockNumber() + 1, cursor.positionInBlock()
        self._number = assistant().ask(self._view.toPlainText(), *place, str(self._root() or Path.cwd()))

    def _on_answer(self, told: dict[str, Any]) -> None:
        if told["id"] != self._number or self._view.textCursor().position() != self._place:
            return
        prefix = self._prefix()
        names = [name for name in told["names"] if name != prefix and (prefix or not name.startswith("_"))]
        self._names.setStringList(names)
        self._show(prefix)
        if told["signature"] and not self.completer.popup().isVisible():
            place = self._view.cursorRect().topLeft()
            QToolTip.showText(self._view.viewport().mapToGlobal(place), told["signature"], self._view)

    def _show(self, prefix: str) -> None:
        self.completer.setCompletionPrefix(prefix)
        if not self.completer.completionCount() or (self.completer.popup().isVisible() and not prefix):
            self.completer.popup().hide()
            return
        box = self._view.cursorRect()
        bar = self.completer.popup().verticalScrollBar().sizeHint().width()
        box.setWidth(self.completer.popup().sizeHintForColumn(0) + bar + 12)
        self.completer.complete(box.translated(self._view.viewport().pos()))
        self.completer.popup().setCurrentIndex(self.completer.completionModel().index(0, 0))

    def _insert(self, name: str) -> None:
        cursor = self._view.textCursor()
        cursor.movePosition(QTextCursor.MoveOperation.Left, QTextCursor.MoveMode.KeepAnchor, len(self._prefix()))
        cursor.insertText(name)
        self._view.setTextCursor(cursor)
