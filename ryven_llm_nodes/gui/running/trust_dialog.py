"""Shows untrusted code of a flow before it runs for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.run.trust.seen import Foreign

QUESTION: Final = (
    "This flow contains code or settings that you have not allowed on this machine before: {nodes}.\n"
    "Review it. Run it only if you trust the author of the flow."
)


def typed_here(item: Foreign, node: LLMNode) -> bool:
    """Whether the user of this editor has set what ``item`` is about, and not the author of the flow."""
    nothing = object()
    return node.params.get(item.parameter, nothing) != node.came_with.get(item.parameter, nothing)


def ask_to_run(items: Sequence[Foreign]) -> bool:
    """Shows ``items`` and waits for the answer: whether they may run."""
    return bool(TrustDialog(items, QApplication.activeWindow()).exec())


class TrustDialog(QDialog):
    """All that is new in one read-only view; Cancel unless Run is chosen."""

    def __init__(self, items: Sequence[Foreign], parent: QWidget | None = None) -> None:
        from ryven_llm_nodes.gui.code.view import CodeView  # imported when first needed: the window opens sooner

        super().__init__(parent)
        self.setWindowTitle("Run this flow?")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, 860, 640)
        self.label = QLabel(QUESTION.format(nodes=", ".join(dict.fromkeys(item.label for item in items))))
        self.label.setWordWrap(True)
        self.view = CodeView("\n\n".join(map(_section, items)), read_only=True)
        self.view.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)  # no text hides far to the right
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.addWidget(self.label)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._buttons())

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox(self)
        self.run_button = box.addButton("Run", QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel_button = box.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.run_button.setAutoDefault(False)
        self.cancel_button.setDefault(True)
        self.cancel_button.setFocus()
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        return box


def _section(item: Foreign) -> str:
    return f"# {item.label} > {item.parameter}: {item.what}\n{item.text}"
