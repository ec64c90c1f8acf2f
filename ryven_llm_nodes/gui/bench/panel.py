"""The bench dock: completions, sampled from the model or pasted, and what the selected reward gives to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final, Protocol

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QIntValidator
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.bench.results import Results
from ryven_llm_nodes.gui.style.colours import BRIGHT
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.widgets.elided import Elided
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

NOTHING: Final = "Select a reward to see what it gives to completions."
WORKING: Final = "Scoring..."
SAMPLING: Final = {"prompts": (4, "Prompts that are sampled from"), "samples": (4, "Completions per prompt")}
SAMPLING |= {"tokens": (64, "Tokens of a completion, at most"), "seed": (0, "Seed of the samples")}
PASTE: Final = "Paste completions: one per line, texts between lines with ---, or JSON rows with 'completion'."
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
        self.results = Results(NOTHING)
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
        column.addWidget(self.results.facts, 1)
        column.addWidget(self.paste)
        column.addWidget(self.score)
        middle = QHBoxLayout()
        middle.addWidget(self.results, 1)
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
        self.results.facts.clear()
        self.results.say("Sample completions from the model, or paste some.")
        self._enable(True)

    def _sample(self) -> None:
        self._ask(None, {name: int(field.text() or SAMPLING[name][0]) for name, field in self.fields.items()})

    def _score(self) -> None:
        self._ask(self.paste.toPlainText(), {})

    def _ask(self, pasted: str | None, sampling: Mapping[str, int]) -> None:
        node = self.node
        if node is None or node not in node.flow.nodes:
            self.results.say(NOTHING)
            return
        self._number = next(self._numbers)
        asked = self._look(node, self._number, pasted, sampling)
        if isinstance(asked, str):
            self.results.say(asked)
            return
        self.results.say(WORKING)
        self._enable(False)
        self._client.ask(asked, self, weakly(self._answered))

    # What is shown

    def _enable(self, wanted: bool) -> None:
        self.sample.setEnabled(wanted)
        self.score.setEnabled(wanted)

    def _answered(self, answer: Mapping[str, Any]) -> None:
        is_ours = answer.get("number", self._number) == self._number
        self._enable("partial" not in answer or not is_ours)
        if not is_ours:
            return  # another reward was selected meanwhile
        if "partial" in answer:
            self.results.show_found(answer["partial"])
        elif "problems" in answer:
            self.results.say("\n".join(answer["problems"]))
        else:
            self.results.show_found(answer["scored"])


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
