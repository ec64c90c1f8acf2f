"""Tries the reward of a node on rows of a trainer's dataset, in a process of its own that can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QSplitter, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import clipped
from ryven_llm_nodes.gui.bench.results import Results
from ryven_llm_nodes.gui.code.view import lines_in
from ryven_llm_nodes.gui.preview.client import PreviewClient
from ryven_llm_nodes.gui.style.colours import BAD, MUTED
from ryven_llm_nodes.gui.style.rich_text import coloured
from ryven_llm_nodes.gui.widgets.combo import Combo
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

ROWS, MOST_ROWS, TOKENS, MOST_TOKENS = 8, 64, 64, 4096
LONGEST_LABEL: Final = 40
HOW: Final = (
    "Test samples a completion for each row from the trainer's model, and shows what the function gives to it, "
    "where it fails, and what it prints."
)
SAMPLING: Final = "Sampling completions..."
CALLING: Final = "Calling the function..."
STOPPED: Final = "Stopped."
CLOSING: Final = "The editor is closing."
SIDE_WIDTH: Final = 250

Look = Callable[..., Mapping[str, Any] | str]
"""The question about a node, or why there is none."""
Trainers = Callable[[LLMNode], Mapping[str, str] | str]
"""The trainers that a reward feeds, each with its label, by name; or why there is none."""


def gives_reward(node: LLMNode) -> bool:
    """Whether ``node`` can be tried here."""
    return any(port.kind == "reward" for port in node.out_ports)


class Trial(QWidget):
    """Shows what the reward of ``node`` gives; nothing runs before it is told to.

    A test that is stopped ends with its process, which is the trial's own; what was shown before stays.
    """

    starting = Signal()
    """A test is about to start: pending edits are to be committed."""
    failed_at = Signal(list)
    """The lines of the code at which the last test failed."""

    def __init__(self, node: LLMNode, look: Look, trainers: Trainers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.node = node
        self._look, self._trainers = weakly(look, CLOSING), weakly(trainers, CLOSING)
        self.client = PreviewClient(self)
        self._numbers = count(1)
        self.is_testing = False
        self._told, self._why_not = ("", MUTED), ""
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.button = QPushButton("Test", autoDefault=False, toolTip="Call the function with completions of these rows")
        self.rows = QSpinBox(minimum=1, maximum=MOST_ROWS, value=ROWS, toolTip="Rows, from the first one")
        self.trainer = Combo(self)
        self.trainer.setToolTip("The trainer whose rows and model are used")
        self.trainer.setAccessibleName("trainer")
        self.trainer.setSizeAdjustPolicy(Combo.SizeAdjustPolicy.AdjustToContents)
        self.tokens = QSpinBox(minimum=1, maximum=MOST_TOKENS, value=TOKENS, toolTip="Tokens of a completion, at most")
        self.stop_button = QPushButton("Stop", autoDefault=False, toolTip="End the test, whatever the code does")
        self.note = QLabel(wordWrap=True)
        self.results = Results(HOW)
        for field in (self.rows, self.tokens):
            field.valueChanged.connect(self._name_units)
        self._name_units()
        self.button.clicked.connect(self.test)
        self.stop_button.clicked.connect(self.stop)
        self.parts = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        for part in (self.results, self.results.facts):
            self.parts.addWidget(part)
        self.parts.setSizes([3 * SIDE_WIDTH, SIDE_WIDTH])
        self.parts.setStretchFactor(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addLayout(self._bar())
        column.addWidget(self.note)
        column.addWidget(self.parts, 1)

    def _bar(self) -> QHBoxLayout:
        bar = QHBoxLayout()
        bar.addWidget(self.button)
        self.of_trainer = QLabel("of")
        for part in (QLabel("on"), self.rows, self.of_trainer, self.trainer, QLabel("at most"), self.tokens):
            bar.addWidget(part)
        bar.addStretch(1)
        bar.addWidget(self.stop_button)
        return bar

    def _name_units(self) -> None:
        for field, word in ((self.rows, "row"), (self.tokens, "token")):
            field.setSuffix(f" {word}{'s' * (field.value() != 1)}")

    # Which trainers

    def refresh(self) -> None:
        """Offers the trainers that the reward feeds as the flow is drawn now; says so if there is none."""
        found = self._trainers(self.node)
        offered = (
            {} if isinstance(found, str) else {name: clipped(label, LONGEST_LABEL) for name, label in found.items()}
        )
        if offered != dict(self._offered()):
            chosen = self.trainer.currentData()
            self.trainer.clear()
            for name, label in offered.items():
                self.trainer.addItem(label, name)
            self.trainer.setCurrentIndex(max(self.trainer.findData(chosen), 0))
        for part in (self.of_trainer, self.trainer):
            part.setVisible(bool(offered))
        self._why_not = found if isinstance(found, str) else ""
        self._show_state()

    def _offered(self) -> Iterator[tuple[str, str]]:
        return ((self.trainer.itemData(i), self.trainer.itemText(i)) for i in range(self.trainer.count()))

    def _show_state(self) -> None:
        self.button.setEnabled(not self.is_testing and not self._why_not)
        self.stop_button.setEnabled(self.is_testing)
        text, colour = (self._why_not, MUTED) if self._why_not and not self.is_testing else self._told
        self.note.setText(coloured(text, colour).replace("\n", "<br>"))
        self.note.setVisible(bool(text))

    # A test

    def test(self) -> None:
        """Asks for completions of the rows and their scores."""
        self.starting.emit()
        sampling = {"prompts": self.rows.value(), "samples": 1, "tokens": self.tokens.value(), "seed": 0}
        asked = self._look(self.node, next(self._numbers), None, sampling, self.trainer.currentData() or "")
        if isinstance(asked, str):
            self._tell(asked, BAD)
            return
        self._tell(SAMPLING, testing=True)
        self.client.ask(asked, self, weakly(self._answered))

    def stop(self) -> None:
        """Ends the test, and the process; what was shown before stays."""
        self.client.stop()
        if self.is_testing:
            self._tell(STOPPED)

    def _tell(self, text: str, colour: str = MUTED, testing: bool = False) -> None:
        self._told, self.is_testing = (text, colour), testing
        self._show_state()

    def _answered(self, answer: Mapping[str, Any]) -> None:
        if "partial" in answer:
            self._tell(CALLING, testing=True)
            self.results.show_found(answer["partial"])
            return
        if "problems" in answer:
            self._tell("\n".join(answer["problems"]), BAD)
            return
        self._tell("")
        self.results.show_found(answer["scored"])
        failures = (text for reward in answer["scored"]["rewards"] for text in reward["failures"].values())
        self.failed_at.emit(sorted({line for text in failures for line in lines_in(text)[:1]}))
