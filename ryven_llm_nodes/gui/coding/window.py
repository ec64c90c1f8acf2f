"""The window of a field that holds code: a large editor, what is wrong with the code, and what a reward gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QDialog, QSplitter, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.code.view import CodeView
from ryven_llm_nodes.gui.inspector.field_values import as_text
from ryven_llm_nodes.gui.state import edits, preferences
from ryven_llm_nodes.gui.style.families import title_of
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.gui.widgets.weak_calls import weakly

SIZE: Final = (940, 720)
SIZE_CHOICE: Final = "code_window"
"""The preference that keeps the size of the window that was closed last."""


def code_fields(node: Any) -> list[str]:
    """The parameters of ``node`` that hold code."""
    return [one.name for one in type(node).parameters if one.widget == "code"] if isinstance(node, LLMNode) else []


class CodeFieldWindow(QDialog):
    """Edits the parameter ``name`` of ``node``; every edit is an undoable one of the editor.

    It follows the node: an undo, or an edit in the inspector, is shown at once. ``root`` gives the folder of modules
    next to the flow file.
    """

    ended = Signal()
    """It was closed."""

    def __init__(
        self, node: LLMNode, name: str, root: Callable[[], Path | None] = lambda: None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.node, self.name = node, name
        self._parameter = next(one for one in type(node).parameters if one.name == name)
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, *_kept_size())
        self.view = CodeView(read_only=False, root=weakly(root))
        self.parts = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        self.parts.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.addWidget(self.parts)
        self._shown = ""
        self._show_node()
        self.view.edited.connect(self._commit)
        edits.changed_signal.connect(self._on_changed)

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

    # The end

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:  # which ends a suggestion, not the work on a text
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """Closes the window: what was typed is kept, and so is the size for the next one."""
        self.flush()
        preferences.keep(SIZE_CHOICE, [self.width(), self.height()])
        super().done(result)
        self.ended.emit()


def _kept_size() -> tuple[int, int]:
    kept = preferences.read(SIZE_CHOICE)
    is_size = isinstance(kept, list) and len(kept) == 2 and all(type(one) is int and one > 0 for one in kept)
    return (kept[0], kept[1]) if is_size else SIZE
