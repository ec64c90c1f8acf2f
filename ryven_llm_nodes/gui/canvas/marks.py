"""Marks on nodes: a badge and a message under each node about which something was found, or that failed."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from qtpy.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from ryven_llm_nodes.errors import Problem, Weight
from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, WARN
from ryven_llm_nodes.gui.style.icons import glyph
from ryven_llm_nodes.gui.style.rich_text import escape

BADGE: Final = 22.0
PADDING: Final = 8.0
NARROWEST: Final = 230.0
LONGEST: Final = 260
_WRAP: Final = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop

COLOURS: Final[dict[Weight, tuple[str, str, str]]] = {
    "error": (BAD, "#3a1822", "#ffc2cd"),
    "warning": (WARN, "#352a17", "#ffe0ad"),
    "note": (ACCENT, "#16283c", "#c3ddff"),
}
"""The colours of the badge and the border, of the box, and of the text, by weight."""


class Mark(QGraphicsItem):
    """A child of a node's item that is drawn next to it; ryvencore's own indicator shows no sentence."""

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        self.findings: tuple[Problem, ...] = ()
        self._text, self._box, self._badge = "", QRectF(), QRectF()
        self.setZValue(50)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.hide()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, each with the parameter that it is about."""
        return tuple(map(sentence, self.findings))

    @property
    def weight(self) -> Weight:
        """The weight of the most severe finding, which gives the mark its colour."""
        return self.findings[0].weight if self.findings else "note"

    def show_findings(self, findings: tuple[Problem, ...]) -> None:
        """Shows what was found, the most severe first; nothing if ``findings`` is empty."""
        self.findings = findings
        if findings:
            self.prepareGeometryChange()
            self._lay_out()
            lines = (f"<p style='color:{COLOURS[one.weight][0]}'>{escape(sentence(one))}</p>" for one in findings)
            self.setToolTip("".join(lines))
        self.setVisible(bool(findings))
        self.update()

    def _lay_out(self) -> None:
        more = len(self.sentences) - 2
        shown = [_short(sentence) for sentence in self.sentences[:2]]
        self._text = "\n".join([*shown, f"and {more} more"] if more > 0 else shown)
        node = self.parentItem().boundingRect()
        width = max(node.width(), NARROWEST)
        inner = QRectF(0, 0, width - 2 * PADDING, 1000)
        height = QFontMetricsF(_font()).boundingRect(inner, int(_WRAP), self._text).height()
        self._box = QRectF(-width / 2, node.bottom() + 6, width, height + 2 * PADDING - 2)
        self._badge = QRectF(node.right() - BADGE / 2 - 4, node.top() - BADGE / 2 + 3, BADGE, BADGE)

    def boundingRect(self) -> QRectF:
        return self._box.united(self._badge).adjusted(-1, -1, 1, 1)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        colour, ground, ink = COLOURS[self.weight]
        fill = QColor(ground)
        fill.setAlpha(240)
        painter.setPen(QPen(QColor(colour), 1))
        painter.setBrush(fill)
        painter.drawRoundedRect(self._box, 6, 6)
        painter.setPen(QColor(ink))
        painter.setFont(_font())
        painter.drawText(self._box.adjusted(PADDING, PADDING - 2, -PADDING, 0), int(_WRAP), self._text)
        painter.drawImage(self._badge, glyph("bad", colour))

    def badge_centre(self) -> QPointF:
        """Where the badge is, in the scene."""
        return self.mapToScene(self._badge.center())


def sentence(problem: Problem) -> str:
    """A finding as its node shows it: without the name of the node."""
    return f"{problem.parameter}: {problem.message}" if problem.parameter else problem.message


def _font() -> QFont:
    font = QFont("Poppins")
    font.setPixelSize(11)
    return font


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST else sentence[: LONGEST - 3] + "..."
