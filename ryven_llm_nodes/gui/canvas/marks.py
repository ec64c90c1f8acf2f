"""Marks on nodes: a badge and a message under each node that has a problem or failed."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from qtpy.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from ryven_llm_nodes.gui.style.colours import BAD
from ryven_llm_nodes.gui.style.icons import glyph
from ryven_llm_nodes.gui.style.rich_text import escape

BADGE: Final = 22.0
PADDING: Final = 8.0
NARROWEST: Final = 230.0
LONGEST: Final = 260
_WRAP: Final = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop


class Mark(QGraphicsItem):
    """A child of a node's item that is drawn next to it; ryvencore's own indicator shows no sentence."""

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        self.sentences: tuple[str, ...] = ()
        self._text, self._box, self._badge = "", QRectF(), QRectF()
        self.setZValue(50)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.hide()

    def show_sentences(self, sentences: tuple[str, ...]) -> None:
        """Shows what is wrong; nothing if ``sentences`` is empty."""
        self.sentences = sentences
        if sentences:
            self.prepareGeometryChange()
            self._lay_out()
            self.setToolTip("".join(f"<p style='color:{BAD}'>{escape(s)}</p>" for s in sentences))
        self.setVisible(bool(sentences))
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
        painter.setPen(QPen(QColor(BAD), 1))
        painter.setBrush(QColor(58, 24, 34, 240))
        painter.drawRoundedRect(self._box, 6, 6)
        painter.setPen(QColor("#ffc2cd"))
        painter.setFont(_font())
        painter.drawText(self._box.adjusted(PADDING, PADDING - 2, -PADDING, 0), int(_WRAP), self._text)
        painter.drawImage(self._badge, glyph("bad", BAD))

    def badge_centre(self) -> QPointF:
        """Where the badge is, in the scene."""
        return self.mapToScene(self._badge.center())


def _font() -> QFont:
    font = QFont("Poppins")
    font.setPixelSize(11)
    return font


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST else sentence[: LONGEST - 3] + "..."
