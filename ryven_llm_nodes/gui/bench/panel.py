"""The bench dock: completions, sampled from the model or pasted, and what the selected reward gives to each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final, Protocol

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QIntValidator
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.style.colours import BAD, BRIGHT, MUTED, WARN
from ryven_llm_nodes.gui.style.rich_text import bold, coloured, escape
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.widgets.elided import Elided
from ryven_llm_nodes.gui.widgets.tables import Cell, Row, Table
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

NOTHING: Final = "Select a reward to see what it gives to completions."
WORKING: Final = "Scoring..."
SAMPLING: Final = {"prompts": (4, "Prompts that are sampled from"), "samples": (4, "Completions per prompt")}
SAMPLING |= {"tokens": (64, "Tokens of a completion, at most"), "seed": (0, "Seed of the samples")}
PASTE: Final = "Paste completions: one per line, texts between lines with ---, or JSON rows with 'completion'."
LONGEST: Final = 200
SIDE_WIDTH: Final = 270
PASTE_HEIGHT: Final = 56


class Client(Protocol):
    """A process that answers questions."""

    def ask(self, asked: Mapping[str, Any], owner: QObject, then: Callable[[Mapping[str, Any]], Any]) -> None:
        """Calls ``then`` with the answer."""


class BenchPanel(QWidget):
    """Scores only when it is told to: the code of rewards runs, and a model is loaded.

    ``look`` gives the question about a node, or why there is none.
    """

    def __init__(self, look: Callable[..., Mapping[str, Any] | str], client: Client) -> None:
        super().__init__()
        self._look, self._client = weakly(look, "The editor is closing."), client
        self.node: LLMNode | None = None
        self._numbers, self._number = count(1), 0
        self._tried: list[Mapping[str, Any]] = []
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(PANEL_STYLE)
        self._build()

    # Widgets

    def _build(self) -> None:
        self.title = Elided("", BRIGHT)
        self.fields = {name: _field(default, tip) for name, (default, tip) in SAMPLING.items()}
        self.sample = _button("Sample and Score", "Samples completions from the model, and scores them", self._sample)
        self.paste = QPlainTextEdit(placeholderText=PASTE, maximumHeight=PASTE_HEIGHT)
        self.score = _button("Score Pasted", "Scores the completions that were pasted", self._score)
        self.words = QLabel(NOTHING, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.words.setProperty("role", "muted")
        self.table = Table(["row"], 0)
        self.detail = QTextEdit(readOnly=True, minimumWidth=120)
        self.rows = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.facts = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.rows.addWidget(self.table)
        self.rows.addWidget(self.detail)
        self._enable(False)
        self._lay_out()

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.title, 1)
        for name, field in self.fields.items():
            bar.addWidget(QLabel(name))
            bar.addWidget(field)
        bar.addWidget(self.sample)
        side = QWidget()
        side.setFixedWidth(SIDE_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 0, 0, 0)
        scroller = QScrollArea(widgetResizable=True)
        scroller.setWidget(self.facts)
        column.addWidget(scroller, 1)
        column.addWidget(self.paste)
        column.addWidget(self.score)
        self.body = QStackedWidget()
        self.body.addWidget(self.words)
        self.body.addWidget(self.rows)
        middle = QHBoxLayout()
        middle.addWidget(self.body, 1)
        middle.addWidget(side)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 6)
        column.addLayout(bar)
        column.addLayout(middle, 1)

    # What is asked

    def show_node(self, node: Any) -> None:
        """Turns to another reward; other nodes leave the panel as it is."""
        gives = isinstance(node, LLMNode) and any(port.kind == "reward" for port in node.out_ports)
        if not gives or node is self.node:
            return
        self.node, self._number = node, next(self._numbers)
        self.title.setText(f"{node.title} {node.name}".rstrip())
        self.facts.clear()
        self._say("Sample completions from the model, or paste some.")
        self._enable(True)

    def _sample(self) -> None:
        self._ask(None, {name: int(field.text() or SAMPLING[name][0]) for name, field in self.fields.items()})

    def _score(self) -> None:
        self._ask(self.paste.toPlainText(), {})

    def _ask(self, pasted: str | None, sampling: Mapping[str, int]) -> None:
        node = self.node
        if node is None or node not in node.flow.nodes:
            self._say(NOTHING)
            return
        self._number = next(self._numbers)
        asked = self._look(node, self._number, pasted, sampling)
        if isinstance(asked, str):
            self._say(asked)
            return
        self._say(WORKING)
        self._enable(False)
        self._client.ask(asked, self, weakly(self._answered))

    # What is shown

    def _say(self, text: str) -> None:
        self.words.setText(text)
        self.body.setCurrentWidget(self.words)

    def _enable(self, wanted: bool) -> None:
        self.sample.setEnabled(wanted)
        self.score.setEnabled(wanted)

    def _answered(self, answer: Mapping[str, Any]) -> None:
        self._enable(True)
        if answer.get("number", self._number) != self._number:
            return  # another reward was selected meanwhile
        if "problems" in answer:
            self._say("\n".join(answer["problems"]))
            return
        found = answer["scored"]
        self._tried = found["completions"]
        self._show_table(found["rewards"])
        self.facts.setText(_facts(found))
        self.body.setCurrentWidget(self.rows)

    def _show_table(self, rewards: list[Mapping[str, Any]]) -> None:
        """A table has its columns for life."""
        names = [reward["reward"] for reward in rewards]
        titles = ["row", "prompt", "completion", *names, *(["total"] if len(names) > 1 else [])]
        table = Table(titles, 2, right=[0, 1, *range(3, len(titles))], most=120)
        table.chosen.connect(self._show_detail)
        self.rows.replaceWidget(0, table)
        self.table.deleteLater()
        self.table = table
        table.show_rows({str(i): _row(i, one, rewards) for i, one in enumerate(self._tried)})
        table.choose("0")
        self.rows.setSizes([700, 200])

    def _show_detail(self) -> None:
        keys = self.table.chosen_keys()
        one = self._tried[int(keys[0])] if keys and int(keys[0]) < len(self._tried) else {}
        parts = ((name, one[name]) for name in ("prompt", "completion") if name in one)
        self.detail.setHtml(
            "".join(f"{bold(name)}<p style='white-space:pre-wrap'>{escape(_text(value))}</p>" for name, value in parts)
        )


def _field(default: int, tip: str) -> QLineEdit:
    field = QLineEdit(str(default), fixedWidth=52)
    field.setValidator(QIntValidator(0 if default == 0 else 1, 100_000, field))
    field.setToolTip(tip)
    return field


def _button(text: str, tip: str, does: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(does)
    return button


def _row(number: int, one: Mapping[str, Any], rewards: list[Mapping[str, Any]]) -> Row:
    scores = [_score(reward, number) for reward in rewards]
    total = [_number(one["total"])] if len(rewards) > 1 else []
    text = " ".join(_text(one["completion"])[:LONGEST].split())
    return Row([str(number + 1), str(one["group"] + 1), text, *scores, *total])


def _score(reward: Mapping[str, Any], number: int) -> Cell:
    failure = reward["failures"].get(str(number))
    return Cell("failed", BAD, failure) if failure else Cell(_number(reward["scores"][number]))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _text(value: Any) -> str:
    """Text as it is; of a conversation, its turns."""
    if isinstance(value, list) and all(isinstance(turn, dict) for turn in value):
        return "\n\n".join(_text(turn.get("content", "")) for turn in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _facts(found: Mapping[str, Any]) -> str:
    """Warnings; per reward its spread within groups and the time of a call; failures with their line."""
    lines = [coloured(warning, WARN) for warning in found["warnings"]]
    lines += [escape(f"{len(found['completions'])} completions from {found['source']}"), ""]
    for reward in found["rewards"]:
        spread = sum(reward["spread"]) / max(len(reward["spread"]), 1)
        weight = f", weight {reward['weight']:g}" if reward["weight"] != 1 else ""
        lines += [bold(reward["reward"]) + escape(weight)]
        lines += [coloured(f"spread within a group {spread:.3g}, {reward['seconds']:.3g} s per call", MUTED)]
        lines += [coloured(f"row {int(row) + 1}: {text}", BAD) for row, text in reward["failures"].items()]
    return "<br>".join(lines)
