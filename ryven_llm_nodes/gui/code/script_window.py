"""The script of a flow: to read, to copy, to save."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.code.view import CodeView
from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.program.names import identifier
from ryven_llm_nodes.system.files import write_whole


class CodeWindow(QDialog):
    """Shows the script of ``program``, as it would be saved next to the flow file."""

    saved = Signal(str)

    def __init__(self, program: Program, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.program = program
        self.text = program.script.text
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self.setWindowTitle(f"{program.graph.title} · Python script")
        self.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
        open_with(self, 940, 760)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        self.view = CodeView(self.text, read_only=True)
        layout.addWidget(self.view, 1)
        layout.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        lines = self.text.count("\n")
        self.hint = QLabel(f"{lines} lines of plain Python on torch, transformers and TRL: the code that Run executes.")
        row.addWidget(self.hint, 1)
        self.copy_button, self.save_button, self.close_button = map(QPushButton, ("Copy", "Save as .py ...", "Close"))
        for button, call in (
            (self.copy_button, self.copy),
            (self.save_button, self.save),
            (self.close_button, self.close),
        ):
            button.clicked.connect(lambda _=False, call=call: call())
            row.addWidget(button)
        return row

    def copy(self) -> None:
        """Puts the script on the clipboard."""
        QApplication.clipboard().setText(self.text)
        self.hint.setText("Copied.")

    def save(self) -> None:
        """Asks for a place and writes the script there."""
        suggested = f"{identifier(self.program.graph.title, 'pipeline')}.py"
        start = str(self.program.graph.root / suggested)
        chosen = QFileDialog.getSaveFileName(self, "Save script", start, "Python (*.py)")[0]
        if chosen:
            path = Path(chosen)
            self.save_to(path if path.suffix == ".py" else path.with_name(f"{path.name}.py"))

    def save_to(self, path: Path) -> bool:
        """Writes the script to ``path``, relative paths adjusted to that place."""
        try:
            write_whole(path, self.program.script_for(path.parent).text)
        except LLMNodesError as error:
            QMessageBox.warning(self, "Not written", str(error))
            return False
        self.hint.setText(f"Wrote {path}")
        self.saved.emit(str(path))
        return True
