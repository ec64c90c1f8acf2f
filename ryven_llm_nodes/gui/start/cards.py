"""A card of the start page: a picture, a title, and a few lines; a button for mouse and keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QEnterEvent, QFont, QFontMetricsF, QImage, QKeyEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QAbstractButton, QGridLayout, QWidget

from ryven_llm_nodes.gui.style.colours import ACCENT, BORDER, BRIGHT, SURFACE
from ryven_llm_nodes.gui.style.icons import glyph

WIDTH: Final = 236
PICTURE: Final = 92
LINE: Final = 16
GAP: Final = 14
PADDING: Final = 12


@dataclass(frozen=True)
class Shown:
    """What a card shows: ``picture`` or the icon ``glyph``, a ``title``, and lines with the colour of each."""

    title: str
    lines: Sequence[tuple[str, str]] = ()
    picture: QImage | None = None
    glyph: str = ""
    colour: str = ACCENT
    tip: str = ""


class Card(QAbstractButton):
    """Painted directly: a page has many of them."""

    def __init__(self, shown: Shown, does: Callable[[], object]) -> None:
        super().__init__()
        self.shown = shown
        self.setText(shown.title)
        self.setAccessibleName(shown.title)
        self.setToolTip(shown.tip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(self.sizeHint())
        self.clicked.connect(lambda: does())

    def sizeHint(self) -> QSize:
        picture = PICTURE if self.shown.picture is not None else 0
        return QSize(WIDTH, picture + 2 * PADDING + 20 + LINE * len(self.shown.lines) + (2 if self.shown.lines else 0))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        is_lit = self.hasFocus() or self.underMouse()
        painter.setPen(QPen(QColor(ACCENT if is_lit else BORDER), 1.5 if is_lit else 1))
        painter.setBrush(QColor(SURFACE))
        painter.drawRoundedRect(box, 8, 8)
        top = float(PADDING)
        if self.shown.picture is not None:
            painter.drawImage(QRectF(box.left() + 2, box.top() + 2, box.width() - 4, PICTURE), self.shown.picture)
            top += PICTURE
        self._paint_text(painter, top)
        painter.end()

    def _paint_text(self, painter: QPainter, top: float) -> None:
        left, width = float(PADDING), self.width() - 2.0 * PADDING
        if self.shown.glyph:
            painter.drawImage(QRectF(left, top, 18, 18), glyph(self.shown.glyph, self.shown.colour))
            left, width = left + 26, width - 26
        _line(painter, QRectF(left, top, width, 18), self.shown.title, 13, BRIGHT, QFont.Weight.DemiBold)
        for number, (text, colour) in enumerate(self.shown.lines):
            _line(
                painter, QRectF(PADDING, top + 22 + number * LINE, self.width() - 2 * PADDING, LINE), text, 11, colour
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter chooses, like Space: a button takes it in dialogs only."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()


def _line(
    painter: QPainter, rect: QRectF, text: str, pixels: int, colour: str, weight: QFont.Weight = QFont.Weight.Normal
) -> None:
    font = QFont("Poppins")
    font.setPixelSize(pixels)
    font.setWeight(weight)
    painter.setFont(font)
    painter.setPen(QColor(colour))
    short = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)


class Cards(QWidget):
    """Cards in as many columns as fit."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.cards: list[Card] = []

    def show_cards(self, cards: Sequence[Card]) -> None:
        """Shows ``cards`` in place of those before."""
        for card in self.cards:
            card.setParent(None)
            card.deleteLater()
        self.cards = list(cards)
        self.arrange(self.parentWidget().width() if self.parentWidget() else self.width())

    def arrange(self, width: int) -> None:
        """Puts the cards into the columns that ``width`` has room for."""
        columns = max((width + GAP) // (WIDTH + GAP), 1)
        for number, card in enumerate(self.cards):
            self._grid.addWidget(card, number // columns, number % columns, Qt.AlignmentFlag.AlignTop)
