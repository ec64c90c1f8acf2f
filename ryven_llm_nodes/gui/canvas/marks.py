"""Marks on nodes: a badge and a message under each node about which something was found, or that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from qtpy.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen
from qtpy.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from ryven_llm_nodes.errors import Problem, Weight
from ryven_llm_nodes.gui.canvas.bubbles import bubbles_of
from ryven_llm_nodes.gui.style.colours import ACCENT, BAD, WARN
from ryven_llm_nodes.gui.style.icons import glyph
from ryven_llm_nodes.gui.style.rich_text import escape
from ryven_llm_nodes.host.palette import colour

BADGE: Final = 22.0
PADDING: Final = 8.0
WIDTH: Final = 230.0
NARROW: Final = 118.0
BUBBLE_Z: Final = 900.0
"""Above all nodes, and below the list of nodes."""
LONGEST: Final = 260
SHORT: Final = 90
SHORTEST: Final = 48
"""The most characters of a finding in full, in short, and in a narrow column."""
FAR: Final = 24.0
"""From this distance on, in pixels, a line leads from a bubble to its node."""
_WRAP: Final = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop

COLOURS: Final[dict[Weight, tuple[str, str, str]]] = {
    "error": (BAD, colour("bad_ground"), colour("bad_ink")),
    "warning": (WARN, colour("warn_ground"), colour("warn_ink")),
    "note": (ACCENT, colour("note_ground"), colour("note_ink")),
}
"""The colours of the badge and the border, of the box, and of the text, by weight."""


class Mark(QGraphicsItem):
    """The badge at a node, and its ``bubble``, which follows it; ryvencore's own indicator shows no sentence."""

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        self.findings: tuple[Problem, ...] = ()
        self.bubble = Bubble()
        self._badge = QRectF()
        self.setZValue(50)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemSendsScenePositionChanges)
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
            lines = [f"<p style='color:{COLOURS[one.weight][0]}'>{escape(sentence(one))}</p>" for one in findings]
            for item in (self, self.bubble):
                item.setToolTip("".join(lines))
            self.bubble.show_sentences(self.sentences, self.weight)
        self.setVisible(bool(findings))
        self.follow()
        self.update()

    def follow(self) -> None:
        """Puts badge and bubble where the node is now, in the shape that it has now."""
        node = self.parentItem().boundingRect()
        self.prepareGeometryChange()
        self._badge = QRectF(node.right() - BADGE / 2 - 4, node.top() - BADGE / 2 + 3, BADGE, BADGE)
        self._move_bubble()

    def _move_bubble(self) -> None:
        if self.isVisible() and self.scene() is not None:
            bubbles_of(self.parentItem().flow_view).move_soon()

    def itemChange(self, change: QGraphicsItem.GraphicsItemChange, value: Any) -> Any:
        kinds = QGraphicsItem.GraphicsItemChange
        if change == kinds.ItemScenePositionHasChanged:
            self._move_bubble()
        elif change in (kinds.ItemVisibleHasChanged, kinds.ItemSceneHasChanged):
            self._place_bubble()
        return super().itemChange(change, value)

    def _place_bubble(self) -> None:
        """The bubble is in the scene exactly while this mark is visible there."""
        scene = self.scene() if self.isVisible() else None
        bubbles = bubbles_of(self.parentItem().flow_view)
        bubbles.remove(self)
        if scene is not None:
            bubbles.add(self)
        if self.bubble.scene() is not None and self.bubble.scene() is not scene:
            self.bubble.scene().removeItem(self.bubble)
        if scene is not None and self.bubble.scene() is None:
            scene.addItem(self.bubble)

    def boundingRect(self) -> QRectF:
        return self._badge.adjusted(-1, -1, 1, 1)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(self._badge, glyph("bad", COLOURS[self.weight][0]))

    def badge_centre(self) -> QPointF:
        """Where the badge is, in the scene."""
        return self.mapToScene(self._badge.center())


class Bubble(QGraphicsItem):
    """What was found, next to its node: above all nodes, and of the same size on the screen at every zoom.

    It says it in full, in short, in one line, or in a narrow column: ``say`` chooses. A thin line leads to its node
    where that is far off.
    """

    def __init__(self) -> None:
        super().__init__()
        self._words: list[tuple[str, QRectF]] = [("", QRectF())]
        self._now, self._line = 0, QLineF()
        self._weight: Weight = "note"
        self.setZValue(BUBBLE_Z)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def show_sentences(self, sentences: tuple[str, ...], weight: Weight) -> None:
        """Shows ``sentences`` in the colour of ``weight``, in full until :meth:`say` says otherwise."""
        self.prepareGeometryChange()
        first, more = sentences[:1], sentences[1:]
        forms = (
            (_text(sentences[:2], LONGEST, sentences[2:]), WIDTH),
            (_text(first, SHORT, more), WIDTH),
            (_in_a_line(first, more), WIDTH),
            (_text(first, SHORTEST, more), NARROW),
        )
        self._words, self._weight = [(text, _box_of(text, width)) for text, width in forms], weight
        self._now = 0
        self.update()

    @property
    def sizes(self) -> list[QSizeF]:
        """How much of the screen it takes, by how much it says, most first."""
        return [box.size() for _, box in self._words]

    @property
    def size(self) -> QSizeF:
        """How much of the screen it takes now."""
        return self._words[self._now][1].size()

    @property
    def text(self) -> str:
        """What it says now."""
        return self._words[self._now][0]

    def say(self, words: int, line: QLineF) -> None:
        """Says as much as goes with the size of this number; ``line`` leads from its corner to its node."""
        shown = line if line.length() > FAR else QLineF()
        if (words, shown) != (self._now, self._line):
            self.prepareGeometryChange()
            self._now, self._line = words, shown
            self.update()

    def boundingRect(self) -> QRectF:
        line = QRectF(self._line.p1(), self._line.p2()).normalized()
        return self._words[self._now][1].united(line).adjusted(-1, -1, 1, 1)

    def shape(self) -> QPainterPath:
        path = QPainterPath()
        path.addRect(self._words[self._now][1])
        return path

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour, ground, ink = COLOURS[self._weight]
        text, box = self._words[self._now]
        painter.setPen(QPen(QColor(colour), 1))
        if not self._line.isNull():
            painter.drawLine(self._line)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(QColor(ink))
        painter.setFont(_font())
        painter.drawText(box.adjusted(PADDING, PADDING - 2, -PADDING, 0), int(_WRAP), text)


def _text(sentences: Sequence[str], most: int, more: Sequence[str]) -> str:
    return "\n".join([*(_cut(one, most) for one in sentences), *_more(more)])


def _in_a_line(sentences: Sequence[str], more: Sequence[str]) -> str:
    metrics, end = QFontMetricsF(_font()), "".join(f"  {word}" for word in _more(more))
    room = WIDTH - 2 * PADDING - metrics.horizontalAdvance(end) - 1
    return metrics.elidedText("".join(sentences), Qt.TextElideMode.ElideRight, room) + end


def _cut(sentence: str, limit: int) -> str:
    return sentence if len(sentence) <= limit else sentence[: limit - 3] + "..."


def _more(sentences: Sequence[str]) -> list[str]:
    return [f"+{len(sentences)} more"] if sentences else []


def _box_of(text: str, width: float) -> QRectF:
    inner = QRectF(0, 0, width - 2 * PADDING, 1000)
    taken = QFontMetricsF(_font()).boundingRect(inner, int(_WRAP), text)
    return QRectF(0, 0, taken.width() + 2 * PADDING + 1, taken.height() + 2 * PADDING - 2)


def sentence(problem: Problem) -> str:
    """A finding as its node shows it: without the name of the node."""
    return f"{problem.parameter}: {problem.message}" if problem.parameter else problem.message


def _font() -> QFont:
    font = QFont("Poppins")
    font.setPixelSize(11)
    return font
