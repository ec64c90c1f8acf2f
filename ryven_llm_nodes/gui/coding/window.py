"""The window of a field that holds code: a large editor, what is wrong with the code, and what a reward gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QDialog, QSplitter, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.gui.code.view import CodeView, lines_in
from ryven_llm_nodes.gui.coding.findings import Findings, findings_of
from ryven_llm_nodes.gui.coding.trial import Look, Trainers, Trial, gives_reward
from ryven_llm_nodes.gui.inspector.field_values import as_text
from ryven_llm_nodes.gui.state import edits, preferences
from ryven_llm_nodes.gui.state.flow_state import flow_state
from ryven_llm_nodes.gui.style.families import title_of
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

SIZE: Final = (1040, 800)
SIZE_CHOICE: Final = "code_window"
"""The preference that keeps the size of the window that was closed last."""


def code_fields(node: Any) -> list[str]:
    """The parameters of ``node`` that hold code."""
    return [one.name for one in type(node).parameters if one.widget == "code"] if isinstance(node, LLMNode) else []


class CodeFieldWindow(QDialog):
    """Edits the parameter ``name`` of ``node``; every edit is an undoable one of the editor.

    It follows the node: an undo, or an edit in the inspector, is shown at once. ``root`` gives the folder of the flow
    file; where the node gives a reward, ``look`` gives the question about its scores, and ``trainers`` whom it feeds.
    """

    ended = Signal()
    """It was closed."""

    def __init__(
        self,
        node: LLMNode,
        name: str,
        root: Callable[[], Path],
        look: Look,
        trainers: Trainers,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.node, self.name, self._root = node, name, weakly(root, Path())
        self._parameter = next(one for one in type(node).parameters if one.name == name)
        self._shown = ""
        self._failed_at: Sequence[int] = ()
        self._findings: list[Problem] = []
        self.view = CodeView(read_only=False, root=self._root)
        self.findings = Findings()
        self.trial = Trial(node, look, trainers) if gives_reward(node) else None
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, *_kept_size())
        self._lay_out()
        self._show_node()
        self._connect()
        self.check()

    def _lay_out(self) -> None:
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self.findings)
        self.parts = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        self.parts.addWidget(top)
        if self.trial is not None:
            self.parts.addWidget(self.trial)
            self.parts.setSizes([SIZE[1] * 3 // 5, SIZE[1] * 2 // 5])
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.addWidget(self.parts)

    def _connect(self) -> None:
        self.view.edited.connect(self._commit)
        self.findings.line_chosen.connect(self.view.go_to)
        edits.changed_signal.connect(self._on_changed)
        flow_state(self.node.flow).settled.connect(self.check)
        if self.trial is not None:
            self.trial.starting.connect(self.flush)
            self.trial.failed_at.connect(self._mark_failures)

    def come_forward(self) -> None:
        """Shows the window in front of the others, ready to type."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.view.setFocus()

    # The text, here and in the node

    @property
    def _is_alive(self) -> bool:
        """Whether the node still exists; a removed node is not edited."""
        return self.node in self.node.flow.nodes

    def flush(self) -> None:
        """Commits a pending edit at once."""
        self.view.flush()

    def _commit(self, text: str) -> None:
        if self._is_alive:
            self._shown = text
            self._mark_failures(())
            edits.set_or_reset(self.node, self._parameter, text)

    def _on_changed(self, node: object) -> None:
        if node is self.node:
            self._show_node()

    def _show_node(self) -> None:
        """Shows the node as it is now; what is being typed stays while the node has the text that it began with."""
        self.setWindowTitle(f"{title_of(self.node)} · {self._parameter.label or self.name}")
        value = as_text(self.node.params.get(self.name, self._parameter.default))
        if value != self._shown or not self.view.is_edited():
            self._shown = value
            self.view.set_text(value)
            self._mark_failures(())

    # What is wrong with it

    def check(self) -> None:
        """Shows what is wrong with the code, and which trainers it feeds, in the flow as it is drawn now."""
        if not self._is_alive:
            return
        self._findings = findings_of(self.node, self.name, self._root())
        self.findings.show_findings(self._findings)
        self._mark_lines()
        if self.trial is not None:
            self.trial.refresh()

    def _mark_failures(self, lines: Sequence[int]) -> None:
        self._failed_at = lines
        self._mark_lines()

    def _mark_lines(self) -> None:
        found = (line for one in self._findings for line in lines_in(one.message))
        self.view.set_error_lines([*found, *self._failed_at])

    # The end

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:  # which ends a suggestion, not the work on a text
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """Closes the window: what was typed is kept, and so is the size for the next one."""
        self.flush()
        if self.trial is not None:
            self.trial.stop()
        preferences.keep(SIZE_CHOICE, [self.width(), self.height()])
        super().done(result)
        self.ended.emit()


def _kept_size() -> tuple[int, int]:
    kept = preferences.read(SIZE_CHOICE)
    is_size = isinstance(kept, list) and len(kept) == 2 and all(type(one) is int and one > 0 for one in kept)
    return (kept[0], kept[1]) if is_size else SIZE
