"""The run log: lines with the time, starts and ends of stages, errors with a folded traceback."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from qtpy.QtGui import (
    QColor,
    QGuiApplication,
    QKeySequence,
    QMouseEvent,
    QShortcut,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextOption,
)
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QTextEdit, QVBoxLayout, QWidget

from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.state.stage_run import StageRun
from ryven_llm_nodes.gui.style.colours import MUTED, ROSE, TEXT
from ryven_llm_nodes.gui.style.fonts import mono_font
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.style.states import TONES
from ryven_llm_nodes.gui.widgets.weak_calls import weakly
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.events import RunFinished, RunStarted
from ryven_llm_nodes.run.states import RunState, in_words, tone_of

MOST_LINES: Final = 20_000
FLUSH_MS: Final = 100
AT_ONCE: Final = 1_000
MOST_MATCHES: Final = 1_000
TRACEBACK: Final = "Traceback (most recent call last)"
INDENT: Final = 10
"""Characters before the text of a line: the time, and two spaces."""
COLOURS: Final = {**TONES, "plain": TEXT, "trace": ROSE}
FOLDED: Final = "▸"
UNFOLDED: Final = "▾"
PLACE: Final = re.compile(r"(?:'(?P<quoted>[\w-]+)'(?: > (?P<parameter>\w+))?|^(?:\W )?(?P<first>[\w-]+)(?:: | |$))")
"""Where a line may name a step: quoted, with its parameter or not, or first."""
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Line:
    """A line of the log: time (empty: it belongs to the one above), text, and kind (a key of COLOURS)."""

    time: str
    text: str
    kind: str = "plain"


class LogView(QWidget):
    """Shows what ``model`` logs from now on, at most 20,000 lines. Follows the newest line unless scrolled up.

    A line about a step that ``knows`` takes for one leads to it: a click on it emits ``chosen``.
    """

    chosen = Signal(str, str)
    """A line was clicked: the step that it is about, and the parameter, or an empty text."""

    def __init__(
        self, model: RunModel, knows: Callable[[str], bool] = lambda _: False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.model, self._knows = model, knows
        self._waiting: list[Line] = []
        self._told: dict[str, tuple[StageRun, str]] = {}
        self._stages: tuple[str, ...] = ()
        self._tick = QTimer(self, singleShot=True, interval=FLUSH_MS)
        self._tick.timeout.connect(self._flush_some)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(PANEL_STYLE)
        self._build()
        model.logged.connect(self._on_logged)
        model.warned.connect(self._on_warned)
        model.stage_changed.connect(self._on_stage)
        model.run_started.connect(self._on_run_started)
        model.run_finished.connect(self._on_run_finished)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(4)
        column.addLayout(self._make_bar())
        self.page = _Page(self, weakly(self._place_in))
        self.page.chosen.connect(self.chosen)
        self.page.setPlaceholderText("The log of a run appears here.")
        column.addWidget(self.page, 1)

    def _make_bar(self) -> QHBoxLayout:
        self.search = QLineEdit(placeholderText="Search the log", clearButtonEnabled=True)
        self.search.setObjectName("search")
        self.found = QLabel()
        self.found.setProperty("role", "muted")
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the selected lines, or all of them")
        self.clear_button = QPushButton("Clear")
        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self.find_next)
        self.copy_button.clicked.connect(self.copy)
        self.clear_button.clicked.connect(self.clear)
        shortcut = QShortcut(QKeySequence.StandardKey.Find, self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.search.setFocus)
        row = QHBoxLayout()
        row.setSpacing(6)
        for widget, stretch in ((self.search, 1), (self.found, 0), (self.copy_button, 0), (self.clear_button, 0)):
            row.addWidget(widget, stretch)
        return row

    # Adding lines

    def add(self, text: str, kind: str = "plain") -> None:
        """Appends ``text``, one or several lines, with the time."""
        now = time.strftime("%H:%M:%S")
        for line in _clean(text):
            self._waiting.append(Line(now, line, kind))
            now = ""
        self._soon()

    def _soon(self) -> None:
        del self._waiting[:-MOST_LINES]
        if not self._tick.isActive():
            self._tick.start()

    def _on_logged(self, text: str) -> None:
        if TRACEBACK in text:
            self._add_error(text)
        elif text.strip():
            self.add(text)

    def _on_warned(self, text: str) -> None:
        self.add(f"! {text}", "warn")

    def _add_error(self, text: str) -> None:
        """One red line that says what is wrong, then the traceback, folded."""
        stages = self.model.stages.values()
        failed = [stage for stage in stages if stage.state == RunState.FAILED and not self._is_told(stage)]
        lines = _clean(text)
        if failed:
            self._tell(failed[-1])
            self.add(f"{RunState.FAILED.mark} {_named(failed[-1].step, failed[-1].message or lines[-1])}", "bad")
        else:
            self.add(f"{RunState.FAILED.mark} {lines[-1]}", "bad")
        count = f"{len(lines)} line{'s' if len(lines) > 1 else ''} of traceback"
        self._waiting.append(Line("", f"{FOLDED} {count}", "trace"))
        self._waiting += [Line("", f"    {line}", "trace") for line in lines]
        self._soon()

    def _on_run_started(self, event: RunStarted) -> None:
        self._stages = event.stages
        stages = " → ".join(event.stages) or "no training"
        self.add(f"── run: {stages}", "active")

    def _on_run_finished(self, event: RunFinished) -> None:
        self.add(f"── {in_words(event.status)} after {duration(event.seconds)}", tone_of(event.status))

    def _on_stage(self, step: str) -> None:
        stage = self.model.stages[step]
        state = stage.state
        if state == RunState.READY or self._is_told(stage):
            return
        self._tell(stage)
        if state == RunState.RUNNING:
            self.add(f"{state.mark} {step}", state.tone)
        elif state == RunState.DONE and not stage.folder and step not in self._stages:
            return  # it has only named a model, or a function: whether they work is not known yet
        elif state.is_end:
            what = stage.message if state == RunState.FAILED else f"→ {stage.folder}" if stage.folder else ""
            self.add(f"{state.mark} {_named(step, state.word)} {what}".rstrip(), state.tone)

    def _is_told(self, stage: StageRun) -> bool:
        run, state = self._told.get(stage.step, (None, ""))
        return run is stage and state == stage.state

    def _tell(self, stage: StageRun) -> None:
        self._told[stage.step] = stage, stage.state

    # Showing lines

    def flush(self, most: int = MOST_LINES) -> None:
        """Writes pending lines; many lines are one change of the page."""
        self._tick.stop()
        if self._waiting:
            self.page.append_lines(self._waiting[:most])
            del self._waiting[:most]
            if self.search.text():
                self._mark_matches()
        if self._waiting:
            self._tick.start()

    def _flush_some(self) -> None:
        self.flush(AT_ONCE)

    def text(self) -> str:
        """The full log, folded parts included."""
        self.flush()
        return self.page.toPlainText()

    def clear(self) -> None:
        """Empties the log."""
        self._waiting = []
        self.page.clear()
        self.page.setExtraSelections([])

    def copy(self) -> None:
        """Copies the selection, else the full log, to the clipboard."""
        chosen = self.page.textCursor().selectedText().replace("\u2029", "\n")
        QGuiApplication.clipboard().setText(chosen or self.text())

    def _place_in(self, line: str) -> tuple[str, str] | None:
        """The step that ``line`` is about, and the parameter; None if it is about none of the flow."""
        for found in PLACE.finditer(line):
            step = found["quoted"] or found["first"]
            if self._knows(step):
                return step, found["parameter"] or ""
        return None

    # Search

    def _on_search(self) -> None:
        self._mark_matches()
        if self.search.text():
            self.find_next(from_start=True)

    def _mark_matches(self) -> None:
        marks, words = [], self.search.text()
        cursor = self.page.document().find(words) if words else QTextCursor()
        while not cursor.isNull() and len(marks) < MOST_MATCHES:
            mark = QTextEdit.ExtraSelection()
            mark.cursor = cursor
            mark.format.setBackground(QColor(242, 176, 79, 90))
            marks.append(mark)
            cursor = self.page.document().find(words, cursor)
        self.page.setExtraSelections(marks)
        more = "+" if len(marks) == MOST_MATCHES else ""
        self.found.setText(f"{len(marks)}{more} found" if words else "")

    def find_next(self, from_start: bool = False, backward: bool = False) -> bool:
        """Goes to the next match, wrapping around, and unfolds it. Whether there is one."""
        words, document = self.search.text(), self.page.document()
        flags = QTextDocument.FindFlag.FindBackward if backward else QTextDocument.FindFlag(0)
        start = QTextCursor(document) if from_start else self.page.textCursor()
        found = document.find(words, start, flags)
        if found.isNull():
            found = document.find(words, QTextCursor(document), flags)
        if found.isNull():
            return False
        self.page.unfold(found.block())
        self.page.setTextCursor(found)
        self.page.centerCursor()
        return True


def _named(step: str, text: str) -> str:
    """``text`` prefixed with the step's name, unless it contains the name."""
    return text if step in text else f"{step}: {text}"


def _clean(text: str) -> list[str]:
    """The lines of ``text`` without terminal control codes; of a line rewritten in place, its last state."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.rstrip().split("\n"))
    return [_CONTROL.sub("", line.expandtabs(4)).rstrip() for line in lines]


class _Page(QPlainTextEdit):
    """The lines. A traceback is a clickable line and hidden lines below it; lines about a step can be clicked, too."""

    chosen = Signal(str, str)

    def __init__(self, parent: QWidget, place_in: Callable[[str], tuple[str, str] | None]) -> None:
        super().__init__(parent, readOnly=True, undoRedoEnabled=False)
        self._place_in = place_in
        self.setMaximumBlockCount(MOST_LINES)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setFont(mono_font(11))
        self.setCursorWidth(0)
        self.viewport().setMouseTracking(True)
        self._formats = {kind: _format(colour) for kind, colour in COLOURS.items()}
        self._time = _format(MUTED)

    def append_lines(self, lines: list[Line]) -> None:
        """Appends lines, and keeps following the end if it did."""
        bar = self.verticalScrollBar()
        follow, place = bar.value() >= bar.maximum() - 1, bar.value()
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for line in lines:
            self._write(cursor, line)
        cursor.endEditBlock()
        self._fold_last(len(lines))
        bar.setValue(bar.maximum() if follow else place)

    def _write(self, cursor: QTextCursor, line: Line) -> None:
        if not self.document().isEmpty() or cursor.position():
            cursor.insertBlock()
        cursor.insertText(f"{line.time:{INDENT - 2}}  ", self._time)
        cursor.insertText(line.text, self._formats[line.kind])
        is_head = line.text.startswith(FOLDED)
        is_body = line.kind == "trace" and not is_head
        cursor.block().setUserState(_HEAD if is_head else _NEW_BODY if is_body else _PLAIN)

    def _fold_last(self, count: int) -> None:
        """Hides the tracebacks among the last ``count`` lines."""
        block = self.document().lastBlock()
        for _ in range(count):
            if block.userState() == _NEW_BODY:
                block.setUserState(_BODY)
                self._set_visible(block, False)
            block = block.previous()
        self._measure()

    def _measure(self) -> None:
        # hiding a line does not update the document size, so the scroll bar would be wrong
        layout = self.document().documentLayout()
        layout.documentSizeChanged.emit(layout.documentSize())

    def _set_visible(self, block: QTextBlock, visible: bool) -> None:
        block.setVisible(visible)
        block.setLineCount(max(block.layout().lineCount(), 1) if visible else 0)
        self.document().markContentsDirty(block.position(), max(block.length(), 1))

    def unfold(self, block: QTextBlock) -> None:
        """Shows the folded lines that ``block`` belongs to."""
        if not block.isVisible():
            while block.isValid() and block.userState() == _BODY:
                block = block.previous()
            self.toggle(block)

    def toggle(self, head: QTextBlock) -> None:
        """Folds or unfolds the lines below the line ``head``."""
        if head.userState() != _HEAD:
            return
        block = head.next()
        show = not block.isVisible()
        while block.isValid() and block.userState() == _BODY:
            self._set_visible(block, show)
            block = block.next()
        cursor = QTextCursor(head)
        cursor.setPosition(head.position() + head.text().index(FOLDED if show else UNFOLDED))
        cursor.deleteChar()
        cursor.insertText(UNFOLDED if show else FOLDED, self._formats["trace"])
        self._measure()
        self.viewport().update()

    def _target_at(self, place: QPoint) -> QTextBlock | tuple[str, str] | None:
        """What a click at ``place`` is for: the head of a traceback, or a step and its parameter."""
        block = self.cursorForPosition(place).block()
        if block.userState() == _HEAD:
            return block
        box = self.blockBoundingGeometry(block).translated(self.contentOffset())
        return self._place_in(block.text()[INDENT:]) if box.contains(place.toPointF()) else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        target = self._target_at(event.position().toPoint())
        if target is None or self.textCursor().hasSelection():
            return
        if isinstance(target, tuple):
            self.chosen.emit(*target)
        else:
            self.toggle(target)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            is_target = self._target_at(event.position().toPoint()) is not None
            shape = Qt.CursorShape.PointingHandCursor if is_target else Qt.CursorShape.IBeamCursor
            self.viewport().setCursor(shape)
        return super().viewportEvent(event)


_PLAIN, _HEAD, _BODY, _NEW_BODY = 0, 1, 2, 3


def _format(colour: str) -> QTextCharFormat:
    style = QTextCharFormat()
    style.setForeground(QColor(colour))
    return style
