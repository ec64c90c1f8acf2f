"""The start page: it covers the window until its user has chosen what to begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QEvent, QObject, QSize, Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent
from qtpy.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.start import facts
from ryven_llm_nodes.gui.start.cards import PICTURE, WIDTH, Card, Cards, Shown
from ryven_llm_nodes.gui.start.sketch import sketch
from ryven_llm_nodes.gui.state.recent import recent
from ryven_llm_nodes.gui.style.colours import BAD, GOOD, MUTED, VIOLET, WARN
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.host.dropping import paths_of
from ryven_llm_nodes.program import Graph, read_flow
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.templates import ABOUT, TEMPLATES

MOST_RECENT: Final = 8
EDGE: Final = 36
WIDEST: Final = 1240
BEGINNINGS: Final = (
    ("empty", "Empty", "Drag nodes, and connect them", "trainer", MUTED),
    ("data", "From Data...", "The format is detected; ready to run", "dataset", GOOD),
    ("configuration", "From Configuration...", "TRL, Axolotl, LLaMA-Factory, a script", "code", VIOLET),
    ("open", "Open...", "A flow, or a folder of a model or run", "model", WARN),
)
"""What a flow can begin with: the name, the texts of its card, its icon and colour."""
FURTHER: Final = "On a CPU, in under ten minutes"
DROP: Final = "Or drop it here: a data file or folder, a model, a configuration, a flow. Esc closes this page."


class StartPage(QWidget):
    """Shows beginnings, recent flows and templates in front of ``window``."""

    begun = Signal(str)
    """A beginning was chosen, by its name."""
    template_chosen = Signal(str)
    opened = Signal(object)
    """A recent flow was chosen: its path."""
    dropped = Signal(object)
    """Files were dropped: their paths."""

    def __init__(self, window: Any, further: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(window)
        self._window, self._further = window, dict(further)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(PANEL_STYLE)
        self.setAcceptDrops(True)
        self.beginnings, self.recent, self.templates = Cards(), Cards(), Cards()
        self._recent_title = _title("Recent", "section")
        self._body = QWidget()
        self._scroll = QScrollArea()
        self._fill()
        window.installEventFilter(self)

    def _fill(self) -> None:
        column = QVBoxLayout(self._body)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(12)
        column.addWidget(_title("What do you want to train?", "title"))
        column.addWidget(self.beginnings)
        column.addWidget(_title(DROP, "muted"))
        column.addWidget(self._recent_title)
        column.addWidget(self.recent)
        column.addWidget(_title("Templates", "section"))
        column.addWidget(self.templates)
        column.addStretch()
        self._scroll.setWidget(self._body)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)

    def open(self) -> None:
        """Shows the page, with what is there now."""
        self.beginnings.show_cards([self._beginning(*one) for one in BEGINNINGS])
        found = [card for path in recent()[:MOST_RECENT] if (card := self._recent(path)) is not None]
        self.recent.show_cards(found)
        for widget in (self._recent_title, self.recent):
            widget.setVisible(bool(found))
        self.templates.show_cards(list(self._templates()))
        self._place()
        self.show()
        self.raise_()
        self.beginnings.cards[1].setFocus()

    # Cards

    def _beginning(self, name: str, title: str, line: str, glyph: str, colour: str) -> Card:
        return Card(Shown(title, ((line, MUTED),), None, glyph, colour), lambda: self.begun.emit(name))

    def _recent(self, path: Path) -> Card:
        lines, picture = [(str(path.parent), MUTED)], None
        try:
            graph = read_flow(path)
            picture = self._picture(graph)
            lines.append(facts.last_result(graph.title) or ("not run yet", MUTED))
        except LLMNodesError:
            lines.append(("cannot be read; opening it tells why", BAD))
        return Card(Shown(path.stem, lines, picture, tip=str(path)), lambda: self.opened.emit(path))

    def _templates(self) -> Iterator[Card]:
        here = facts.machine()
        for name, make in TEMPLATES.items():
            graph = graph_of_project(make(), Path())
            lines = list(facts.about(ABOUT[name], graph, here))
            yield self._template(name, ABOUT[name].title, lines, graph)
        for name, title in self._further.items():
            yield Card(Shown(title, ((FURTHER, MUTED),), None, "play", GOOD), self._choosing(name))

    def _template(self, name: str, title: str, lines: list[facts.Line], graph: Graph) -> Card:
        tip = (TEMPLATES[name].__doc__ or "").split("\n")[0]
        return Card(Shown(title, lines, self._picture(graph), tip=tip), self._choosing(name))

    def _choosing(self, name: str) -> Callable[[], object]:
        return lambda: self.template_chosen.emit(name)

    def _picture(self, graph: Graph) -> Any:
        return sketch(graph, QSize(WIDTH - 6, PICTURE), self.devicePixelRatioF())

    # Its place in the window

    def _place(self) -> None:
        top = self._window.menuBar().height()
        self.setGeometry(0, top, self._window.width(), self._window.height() - top)
        width = min(self.width() - 2 * EDGE - 12, WIDEST)
        for cards in (self.beginnings, self.recent, self.templates):
            cards.arrange(width)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.begun.emit("empty")
        else:
            super().keyPressEvent(event)

    # Drops

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_of(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.dropped.emit(paths_of(event.mimeData()))


def _title(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    return label
