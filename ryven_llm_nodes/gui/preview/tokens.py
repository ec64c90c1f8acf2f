"""A row as the tokens that a trainer makes of it, in three colours; their ids under the pointer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

from qtpy.QtCore import QEvent
from qtpy.QtGui import QColor, QFont, QHelpEvent, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QTextEdit, QToolTip, QWidget

from ryven_llm_nodes.gui.style.colours import BAD, BRIGHT, CUT, GOOD, MUTED, TRAINED, TRAINED_NEXT
from ryven_llm_nodes.gui.style.fonts import mono_font

WORDS: Final[Mapping[str, str]] = {
    "trained": "trained: the loss is computed on it",
    "context": "read only: no loss on it",
    "cut": "cut away: beyond max_length, never seen",
}
STRIPES: Final[Mapping[str, tuple[str, str]]] = {"trained": (TRAINED, TRAINED_NEXT), "cut": (CUT, CUT)}
"""Backgrounds, of which every second token has the other, so that one sees where tokens begin."""


def formats() -> dict[str, tuple[QTextCharFormat, QTextCharFormat]]:
    """How tokens of each kind look; what is cut is also struck out."""
    found = {}
    for kind, colour in (("trained", GOOD), ("context", MUTED), ("cut", BAD)):
        pair = []
        for stripe in STRIPES.get(kind, ("", "")):
            look = QTextCharFormat()
            look.setForeground(QColor(colour if kind != "trained" else BRIGHT))
            look.setFontStrikeOut(kind == "cut")
            if stripe:
                look.setBackground(QColor(stripe))
            pair.append(look)
        found[kind] = (pair[0], pair[1])
    return found


class TokenView(QTextEdit):
    """The text of the sequences of a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, readOnly=True)
        self.setFont(mono_font())
        self._formats = formats()
        self._starts: list[int] = []
        self._pieces: list[Mapping[str, Any]] = []

    def show_sequences(self, sequences: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        """Shows each with its name, where there is more than one."""
        self.clear()
        self._starts, self._pieces = [], []
        cursor = QTextCursor(self.document())
        for part, pieces in sequences:
            if len(sequences) > 1:
                self._write_heading(cursor, part)
            for i, piece in enumerate(pieces):
                self._starts.append(cursor.position())
                self._pieces.append(piece)
                cursor.insertText(_visible(piece["text"]), self._formats[piece["kind"]][i % 2])
        self.moveCursor(QTextCursor.MoveOperation.Start)

    def _write_heading(self, cursor: QTextCursor, part: str) -> None:
        look = QTextCharFormat()
        look.setForeground(QColor(MUTED))
        look.setFontWeight(QFont.Weight.Bold)
        gap = "" if cursor.atStart() else "\n\n"
        cursor.insertText(f"{gap}{part}\n", look)

    def piece_at(self, position: int) -> Mapping[str, Any] | None:
        """The tokens at a character of the text."""
        place = bisect_right(self._starts, position) - 1
        return self._pieces[place] if place >= 0 else None

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            position = self.cursorForPosition(self.viewport().mapFrom(self, event.pos())).position()
            QToolTip.showText(event.globalPos(), describe_piece(self.piece_at(position)), self)
            return True
        return super().event(event)


def describe_piece(piece: Mapping[str, Any] | None) -> str:
    """The tooltip of a token: its text, its id, and what happens to it."""
    if piece is None:
        return ""
    ids = ", ".join(map(str, piece["ids"]))
    return f"{piece['text']!r}\nid {ids}\n{WORDS[piece['kind']]}"


def _visible(text: str) -> str:
    """Line breaks are kept, and marked, since they are tokens as well."""
    return text.replace("\r", "␍").replace("\n", "↵\n")
