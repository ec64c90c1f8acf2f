"""The Code tab of a node: its cell of the script, or its problems."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import FlowError, LLMNodesError, Problem
from ryven_llm_nodes.gui.code.view import CodeView
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.gui.style.colours import BAD, MUTED
from ryven_llm_nodes.gui.style.rich_text import escape
from ryven_llm_nodes.program import build, read_live_flow


@dataclass(frozen=True)
class NodeText:
    """A node in its flow: its name there, its text (empty if there is none), its problems, and those elsewhere."""

    step: str = ""
    text: str = ""
    problems: tuple[Problem, ...] = ()
    elsewhere: tuple[Problem, ...] = ()


def node_text(node: LLMNode, root: Path) -> NodeText:
    """Checks the flow of ``node`` in its current state. Loads nothing heavy; problems of the flow do not raise."""
    step = ""
    try:
        drawn = Drawn.of(read_live_flow(node.flow, root), node.flow)
        step = drawn.step_of(node)
        program = build(drawn.graph)
    except FlowError as error:
        own = tuple(problem for problem in error.problems if problem.step == step)
        return NodeText(step, "", own, tuple(problem for problem in error.problems if problem not in own))
    except LLMNodesError as error:
        return NodeText(step, "", (), (Problem(str(error)),))
    return NodeText(step, program.script.cell_text(step))


class CodeTab(QWidget):
    """Shows a :class:`NodeText`. ``problem_chosen`` carries the parameter of a problem that was clicked."""

    problem_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = CodeView()
        self.note = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.note.linkActivated.connect(self._on_link)
        self.copy_button = QPushButton("Copy cell")
        self.copy_button.clicked.connect(self.copy)
        self._build()
        self.show_text(NodeText())

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 10)
        top = QHBoxLayout()
        top.addWidget(self.note, 1)
        top.addWidget(self.copy_button)
        column.addLayout(top)
        column.addWidget(self.view, 1)

    def show_text(self, text: NodeText) -> None:
        """Shows the cell, or why there is none."""
        self.copy_button.setVisible(bool(text.text))
        self.view.setVisible(bool(text.text))
        self.layout().setStretch(0, 0 if text.text else 1)
        self.view.set_text(text.text)
        self.note.setText(_note(text))

    def _on_link(self, parameter: str) -> None:
        self.problem_chosen.emit(parameter)

    def copy(self) -> None:
        """Copies the cell to the clipboard."""
        QGuiApplication.clipboard().setText(self.view.text())
        self.copy_button.setText("Copied")
        QTimer.singleShot(1200, self.copy_button, lambda: self.copy_button.setText("Copy cell"))


def _note(text: NodeText) -> str:
    if text.text:
        return _grey(f"{escape(text.step)}: its part of the script")
    if not (text.problems or text.elsewhere):
        return _grey("This node adds no text of its own to the script." if text.step else "")
    own = "".join(f"<p style='margin:0 0 7px 0'>{_line(problem, text.step)}</p>" for problem in text.problems)
    others = len(text.elsewhere)
    rest = f"{_count(others)} elsewhere in the flow: {escape(str(text.elsewhere[0]))}" if others else ""
    end = "The code appears when " + ("this is" if len(text.problems) + others == 1 else "these are") + " fixed."
    return f"{own}<p>{_grey(rest)}</p><p>{_grey(end)}</p>"


def _count(problems: int) -> str:
    return f"{problems} problem{'s' if problems > 1 else ''}"


def _grey(text: str) -> str:
    return f"<span style='color:{MUTED}'>{text}</span>" if text else ""


def _line(problem: Problem, step: str) -> str:
    """A problem of the shown node; a parameter is a link to its field."""
    if not step:
        return escape(str(problem))
    place = escape(problem.parameter)
    if re.fullmatch(r"\w+", place):
        place = f"<a href='{place}' style='color:{BAD}'>{place}</a>"
    return f"<b style='color:{BAD}'>{place}</b> {escape(problem.message)}"
