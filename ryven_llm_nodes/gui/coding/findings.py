"""What is wrong with the code of a field: what the flow as it is drawn shows, and what the last check or run found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import Problem, by_weight
from ryven_llm_nodes.gui.canvas.marks import COLOURS
from ryven_llm_nodes.gui.code.view import LINE
from ryven_llm_nodes.gui.inspector.code_tab import node_text
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.style.rich_text import escape


def findings_of(node: LLMNode, name: str, root: Path) -> list[Problem]:
    """What is wrong with the parameter ``name`` of ``node``, the most severe first; nothing heavy is loaded."""
    found = (*node_text(node, root).problems, *flow_state(node.flow).findings.get(node, ()))
    own = {one.message: one for one in reversed(found) if one.parameter == name}
    return by_weight(own.values())


class Findings(QLabel):
    """A line per finding, and none where there is none. ``line_chosen`` carries a line of code that was clicked."""

    line_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(wordWrap=True)
        self.linkActivated.connect(self._choose)
        self.show_findings([])

    def _choose(self, line: str) -> None:
        self.line_chosen.emit(int(line))

    def show_findings(self, findings: Sequence[Problem]) -> None:
        """Shows ``findings``."""
        self.setText("".join(map(_line, findings)))
        self.setVisible(bool(findings))


def _line(finding: Problem) -> str:
    colour = COLOURS[finding.weight][0]
    link = f"<a href='\\1' style='color: {colour}'>line \\1</a>"
    text = LINE.sub(link, escape(finding.message))
    return f"<p style='color: {colour}; margin: 2px 0'>{text}</p>"
