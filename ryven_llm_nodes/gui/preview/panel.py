"""The preview dock: the rows of the selected dataset, or a row as the selected trainer will see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QSplitter, QStackedWidget, QTextEdit, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.preview.bar import PreviewBar
from ryven_llm_nodes.gui.preview.client import PreviewClient
from ryven_llm_nodes.gui.preview.lengths import LengthsPlot
from ryven_llm_nodes.gui.preview.tokens import TokenView
from ryven_llm_nodes.gui.state.edits import changed_signal
from ryven_llm_nodes.gui.style.colours import ACCENT, MUTED, WARN
from ryven_llm_nodes.gui.style.rich_text import bold, coloured, escape
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.widgets.tables import Row, Table
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

Look = Callable[[LLMNode, int, str, int], Mapping[str, Any] | str]
"""What to ask about the rows of a node (its number, row, first row), or why nothing can be asked."""
NOTHING: Final = (
    "Select a dataset to see its rows, or a trainer to see a row as it will be trained: "
    "which tokens are trained, only read, or cut."
)
LOADING: Final = "Loading rows and tokenizer..."
SETTLE_MS: Final = 400
LONGEST_CELL: Final = 300
PAGE: Final = 20
SIDE_WIDTH: Final = 236


class PreviewPanel(QWidget):
    """Asks about the selected node while it is visible, and shows the newest answer."""

    def __init__(self, look: Look, client: PreviewClient, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look, self._client = weakly(look, "The editor is closing."), client
        self.node: LLMNode | None = None
        self._row, self._first, self._total = "", 1, 0
        self._numbers, self._number = count(1), 0
        self._stale = False
        self._rows: Sequence[Mapping[str, Any]] = ()
        self._titles: list[str] = []
        self._later = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._later.timeout.connect(self._ask_if_visible)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(PANEL_STYLE)
        self._build()
        changed_signal.connect(self._on_changed)

    # Widgets

    def _build(self) -> None:
        self.words = QLabel(NOTHING, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.words.setProperty("role", "muted")
        self.bar = PreviewBar()
        self.bar.wanted.connect(self._want_row)
        self.bar.paged.connect(self._want_page)
        self.tokens = TokenView()
        self.table = Table(["row"], 0)
        self.detail = QTextEdit(readOnly=True, minimumWidth=180)
        self.table.chosen.connect(self._show_detail)
        self.rows = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.body = QStackedWidget()
        for page in (self.tokens, self.rows):
            self.body.addWidget(page)
        self.facts = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.lengths = LengthsPlot()
        self._lay_out()

    def _lay_out(self) -> None:
        side = QWidget()
        side.setFixedWidth(SIDE_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 0, 4, 0)
        scroller = QScrollArea(widgetResizable=True)
        scroller.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroller.setWidget(self.facts)
        column.addWidget(scroller, 1)
        column.addWidget(self.lengths)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.body, 1)
        middle.addWidget(side)
        self.content = QWidget()
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bar)
        column.addLayout(middle, 1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.words)
        self._stack.addWidget(self.content)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.addWidget(self._stack)

    # What is asked

    def show_node(self, node: Any) -> None:
        """Shows the rows of another node; a node without rows leaves the panel as it is."""
        has_rows = isinstance(node, LLMNode) and any(
            port.kind == "dataset" for port in (*node.in_ports, *node.out_ports)
        )
        if not has_rows or node is self.node:
            return
        self.node, self._row, self._first = node, "", 1
        self.ask_soon()

    def _on_changed(self, node: object) -> None:
        """Any change may be upstream of the node that is shown."""
        if self.node is not None and getattr(node, "flow", None) is self.node.flow:
            self.ask_soon()

    def ask_soon(self) -> None:
        """Asks when the panel is visible and no change came for a moment."""
        self._stale = True
        if self._is_seen():
            self._later.start()

    def _ask_if_visible(self) -> None:
        if self._is_seen():
            self.ask()

    def _is_seen(self) -> bool:
        """Whether anything of it is on the screen: Qt moves a dock behind another tab out of the window."""
        return self.isVisible() and not self.visibleRegion().isEmpty()

    def ask(self) -> None:
        """Asks now."""
        self._later.stop()
        node = self.node
        if node is None or node not in node.flow.nodes:
            self._say(NOTHING)
            return
        self._stale, self._number = False, next(self._numbers)
        asked = self._look(node, self._number, self._row, self._first)
        if isinstance(asked, str):
            self._say(asked)
            return
        if self._stack.currentWidget() is self.words:
            self._say(LOADING)
        self._client.ask(asked, self, weakly(self._answered))

    def _want_row(self, row: str) -> None:
        self._row = row
        self.ask()

    def _want_page(self, pages: int) -> None:
        last = max(0, self._total - 1) // PAGE * PAGE + 1
        self._first = min(max(1, self._first + pages * PAGE), last)
        self.ask()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Its tab has come to the front, for which there is no other event."""
        super().paintEvent(event)
        if self._stale and not self._later.isActive():
            self._later.start()

    # What is shown

    def _say(self, text: str) -> None:
        self.words.setText(text)
        self._stack.setCurrentWidget(self.words)

    def _answered(self, answer: Mapping[str, Any]) -> None:
        if answer.get("number", self._number) != self._number:
            return  # another node was selected meanwhile
        if "problems" in answer:
            self._say("\n".join(answer["problems"]))
            return
        shown = answer["shown"]
        self._stack.setCurrentWidget(self.content)
        if len(shown) == 1:
            self._show_table(shown[0])
        else:
            self._show_row(*shown)

    def _show_row(self, of_all: Mapping[str, Any], of_row: Mapping[str, Any]) -> None:
        self._row, self._total = str(of_row["row"]), of_row["total"]
        self.bar.show_row(of_row["node"], of_row["row"], of_row["total"])
        self.tokens.show_sequences(of_row["sequences"])
        self.body.setCurrentWidget(self.tokens)
        self.facts.setText(_facts_of_row(of_all, of_row))
        self.lengths.show_histogram(of_all["lengths"])
        self.lengths.show()

    def _show_table(self, table: Mapping[str, Any]) -> None:
        self._total, self._first = table["total"], table["first"]
        self.bar.show_page(table["node"], self._first, len(table["rows"]), self._total)
        self._rows = table["rows"]
        self._replace_table(list(table["columns"]))
        rows = {str(i): Row([str(self._first + i), *map(_short, row.values())]) for i, row in enumerate(self._rows)}
        self.table.show_rows(rows)
        self.table.choose("0")
        self.body.setCurrentWidget(self.rows)
        self.facts.setText(_facts_of_table(table))
        self.lengths.hide()

    def _replace_table(self, columns: list[str]) -> None:
        """A table has its columns for life; the next page of the same rows keeps it."""
        titles = ["row", *columns]
        if titles == self._titles:
            return
        self._titles = titles
        self.table.setParent(None)
        self.table.deleteLater()
        self.table = Table(titles, len(titles) - 1, right=[0])
        self.table.chosen.connect(self._show_detail)
        self.rows.insertWidget(0, self.table)
        self.rows.addWidget(self.detail)
        self.rows.setSizes([600, 400])

    def _show_detail(self) -> None:
        keys = self.table.chosen_keys()
        row = self._rows[int(keys[0])] if keys and int(keys[0]) < len(self._rows) else {}
        self.detail.setHtml("".join(_column(name, value) for name, value in row.items()))


def _short(value: Any) -> str:
    return " ".join(_as_text(value)[:LONGEST_CELL].split())


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _column(name: str, value: Any) -> str:
    return (
        f"<p style='color:{ACCENT}; margin-bottom:2px'><b>{escape(name)}</b></p>"
        f"<p style='white-space:pre-wrap; margin-top:0'>{_readable(value)}</p>"
    )


def _readable(value: Any) -> str:
    """Conversations turn by turn; other lists and dictionaries as JSON."""
    if isinstance(value, list) and value and all(isinstance(turn, dict) and "role" in turn for turn in value):
        turns = (f"{bold(str(turn['role']))}<br>{escape(_as_text(turn.get('content')))}" for turn in value)
        return "<br><br>".join(turns)
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def _facts_of_table(table: Mapping[str, Any]) -> str:
    kind = table["format"]
    lines = [bold(f"{table['total']:,} rows"), escape(kind) if kind else coloured("no format that TRL knows", WARN), ""]
    lines += [f"{escape(name)} {coloured(kind, MUTED)}" for name, kind in table["columns"].items()]
    return "<br>".join(lines)


def _facts_of_row(of_all: Mapping[str, Any], of_row: Mapping[str, Any]) -> str:
    lines = []
    for part, pieces in of_row["sequences"]:
        kinds = [piece["kind"] for piece in pieces for _ in piece["ids"]]
        counts = (f"{kinds.count(kind)} {word}" for kind, word in COUNTED.items() if kinds.count(kind))
        lines += [bold(part), coloured(f"{len(kinds)} tokens: {', '.join(counts)}", MUTED)]
    if of_row["dropped"]:
        lines.append(coloured("This row is dropped: nothing that is trained is left of it.", WARN))
    lines += [
        "",
        bold("all rows" if of_all["looked_at"] == of_all["total"] else f"{of_all['looked_at']:,} rows looked at"),
    ]
    losses = {"rows_cut": "cut at max_length", "untrained": "without a trained token"}
    counts = [(of_all[name], word) for name, word in losses.items()] + [(len(of_all["dropped"]), "dropped")]
    found = [coloured(f"{number:,} {word}", WARN) for number, word in counts if number]
    return "<br>".join(lines + (found or [coloured("none is cut or dropped", MUTED)]))


COUNTED: Final = {"trained": "trained", "context": "read only", "cut": "cut"}
