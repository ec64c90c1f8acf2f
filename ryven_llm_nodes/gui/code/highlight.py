"""Colours for Python text by pygments, a line at a time, as an editor needs them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pygments.lexer import ExtendedRegexLexer, LexerContext
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from qtpy.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from ryven_llm_nodes.gui.style.colours import ACCENT, GOOD, MUTED, ROSE, TEAL, VIOLET, WARN, YELLOW

COLOURS: Final = {
    "comment": MUTED,
    "string": GOOD,
    "number": WARN,
    "keyword": VIOLET,
    "decorator": YELLOW,
    "definition": ACCENT,
    "builtin": TEAL,
    "self": ROSE,
    "argument": ROSE,
}
_KINDS: Final = {
    Comment: "comment",
    String: "string",
    Number: "number",
    Keyword: "keyword",
    Operator.Word: "keyword",
    Name.Decorator: "decorator",
    Name.Function: "definition",
    Name.Class: "definition",
    Name.Builtin: "builtin",
    Name.Builtin.Pseudo: "self",
}

Span = tuple[int, int, str]
"""Start, length and kind (a key of COLOURS) of a coloured piece of a line."""


class _LineLexer(ExtendedRegexLexer, PythonLexer):
    """Python, started in the state that the previous line ended in, such as inside a long string."""


_LEXER: Final = _LineLexer()
_STATES: Final[list[tuple[str, ...]]] = [("root",)]
"""The states that lines have ended in so far; a block of a document keeps the index into this list."""


@lru_cache(maxsize=4096)
def spans(line: str, state: int = 0) -> tuple[list[Span], int]:
    """The coloured pieces of ``line``, and the state after it; 0 is the state of an empty document.

    A line takes 0.1 ms, so results are cached: a view is refilled with every edit.
    """
    context = LexerContext(f"{line}\n", 0, list(_STATES[state]))
    found: list[Span] = []
    for start, token, text in _LEXER.get_tokens_unprocessed(context=context):
        length = len(text.rstrip("\n"))
        kind = _kind(token, line, start + length)
        if kind and found and found[-1][2] == kind and sum(found[-1][:2]) == start:
            found[-1] = (found[-1][0], found[-1][1] + length, kind)  # quotes, what they hold, escapes: one string
        elif kind and length:
            found.append((start, length, kind))
    after = tuple(context.stack)
    if after not in _STATES:
        _STATES.append(after)
    return found, _STATES.index(after)


def _kind(token: _TokenType, line: str, end: int) -> str | None:
    """What a token is; the name of an argument, which the lexer knows as any name, stands before a bare ``=``."""
    if token is Name and line[end : end + 1] == "=" and line[end + 1 : end + 2] != "=":
        return "argument"
    while token not in _KINDS and token.parent is not None:
        token = token.parent
    return _KINDS.get(token)


class PythonHighlighter(QSyntaxHighlighter):
    """Colours a document as Python."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._formats = {kind: _format(kind) for kind in COLOURS}

    def highlightBlock(self, text: str) -> None:
        found, state = spans(text, max(self.previousBlockState(), 0))
        for start, length, kind in found:
            self.setFormat(_units(text[:start]), _units(text[start : start + length]), self._formats[kind])
        self.setCurrentBlockState(state)


def _units(text: str) -> int:
    """How long Qt takes ``text`` to be: what lies beyond the first 65536 characters counts twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _format(kind: str) -> QTextCharFormat:
    style = QTextCharFormat()
    style.setForeground(QColor(COLOURS[kind]))
    if kind == "comment":
        style.setFontItalic(True)
    if kind == "definition":
        style.setFontWeight(QFont.Weight.DemiBold)
    return style
