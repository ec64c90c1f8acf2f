"""The name and the note of a run, as fields that are saved while one types."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.run.records.history import PastRun
from ryven_llm_nodes.run.records.labels import LONGEST_NAME, Label, label_of, write_label

SAVE_MS: Final = 400
NOTE_HEIGHT: Final = 46


class LabelFields(QWidget):
    """Edits the label of ``run``. ``saved`` signals that it was written; a refusal is said below the fields."""

    saved = Signal()

    def __init__(self, run: PastRun) -> None:
        super().__init__()
        self._run, self._written = run, label_of(run.folder)
        self.name = QLineEdit(self._written.name, placeholderText="Name", maxLength=LONGEST_NAME)
        self.name.setAccessibleName("name of the run")
        self.note = QPlainTextEdit(self._written.note, placeholderText="Note", tabChangesFocus=True)
        self.note.setAccessibleName("note on the run")
        self.note.setFixedHeight(NOTE_HEIGHT)
        self.refusal = QLabel(wordWrap=True, visible=False)
        self.refusal.setProperty("role", "bad")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 2)
        column.setSpacing(4)
        for widget in (self.name, self.note, self.refusal):
            column.addWidget(widget)
        self._later = QTimer(self, interval=SAVE_MS, singleShot=True)
        self._later.timeout.connect(self.save)
        self.name.textEdited.connect(lambda _: self._later.start())
        self.note.textChanged.connect(self._later.start)

    def save(self) -> None:
        """Writes what was typed, if it is something else than before."""
        self._later.stop()
        label = Label(self.name.text().strip(), self.note.toPlainText().strip())
        if label == self._written or not self._run.folder.is_dir():
            return
        try:
            write_label(self._run.folder, label)
        except LLMNodesError as error:
            self.refusal.setText(str(error))
            self.refusal.show()
            return
        self._written = label
        self.refusal.hide()
        self.saved.emit()

    def event(self, event: QEvent) -> bool:
        """What was typed last is not lost when another run is chosen, or the window closes."""
        if event.type() == QEvent.Type.Hide:
            self.save()
        return super().event(event)
