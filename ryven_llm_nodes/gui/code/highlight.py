"""Colours for Python text, a line at a time, as an editor needs them."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator
from typing import Final

from qtpy.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from ryven_llm_nodes.gui.style.colours import ACCENT, GOOD, VIOLET, WARN

COLOURS: Final = {
    "comment": "#6b7786",
    "string": GOOD,
    "number": WARN,
    "keyword": VIOLET,
    "decorator": "#e6d35a",
    "definition": ACCENT,
    "builtin": "#4fd1c5",
    "self": "#ff9db0",
    "argument": "#ff9db0",
}
_QUOTES: Final = {1: "'''", 2: '"""'}
_BUILTINS: Final = "|".join(name for name in dir(builtins) if not name.startswith("_") and name[0].islower())
_PREFIX: Final = r"(?:\b[rRbBuUfF]{1,2})?"
_TOKEN: Final = re.compile(
    rf"""
    (?P<comment>\#.*)
  | (?P<opening>{_PREFIX}(?:'''|\"\"\"))
  | (?P<string>{_PREFIX}(?:'(?:\\.|[^'\\])*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)))
  | (?P<decorator>^\s*@[\w.]+)
  | \b(?:def|class)\s+(?P<definition>\w+)
  | (?P<keyword>\b(?:{"|".join(keyword.kwlist)})\b)
  | (?P<number>(?<![\w.])(?:0[xX][\da-fA-F_]+|0[bB][01_]+
      |\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)[jJ]?\b)
  | (?P<argument>\b\w+(?==(?!=)))
  | (?P<self>\b(?:self|cls)\b)
  | (?<!\.)(?P<builtin>\b(?:{_BUILTINS})\b(?=\())
    """,
    re.VERBOSE,
)

Span = tuple[int, int, str]
"""Where a coloured piece of a line begins, how long it is, and what it is (a key of COLOURS)."""


def spans(line: str, state: int = 0) -> tuple[list[Span], int]:
    """The coloured pieces of ``line``, and the state after it.

    ``state`` is 0, or 1 or 2 inside a string with three single or double quotes that an earlier line has opened.
    """
    found: list[Span] = []
    position = 0
    if state:
        position, state = _rest_of_string(line, 0, 0, state, found)
    while not state and (match := _TOKEN.search(line, position)):
        if match["opening"]:
            opened = 1 if match["opening"].endswith("'''") else 2
            position, state = _rest_of_string(line, match.start(), match.end(), opened, found)
            continue
        found += _pieces(match)
        position = max(match.end(), position + 1)
    return found, state


def _rest_of_string(line: str, start: int, search: int, state: int, found: list[Span]) -> tuple[int, int]:
    """Colours a long string from ``start`` to its end or the line's; returns where to go on, and the state."""
    end = line.find(_QUOTES[state], search)
    stop = len(line) if end < 0 else end + 3
    found.append((start, stop - start, "string"))
    return stop, (state if end < 0 else 0)


def _pieces(match: re.Match[str]) -> Iterator[Span]:
    if match["definition"] is not None:
        yield match.start(), match.start("definition") - match.start(), "keyword"
    kind = match.lastgroup or ""
    yield match.start(kind), match.end(kind) - match.start(kind), kind


class PythonHighlighter(QSyntaxHighlighter):
    """Colours a document as Python."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._formats = {kind: _format(kind) for kind in COLOURS}

    def highlightBlock(self, text: str) -> None:
        found, state = spans(text, max(self.previousBlockState(), 0))
        for start, length, kind in found:
            self.setFormat(start, length, self._formats[kind])
        self.setCurrentBlockState(state)


def _format(kind: str) -> QTextCharFormat:
    style = QTextCharFormat()
    style.setForeground(QColor(COLOURS[kind]))
    if kind == "comment":
        style.setFontItalic(True)
    if kind == "definition":
        style.setFontWeight(QFont.Weight.DemiBold)
    return style
