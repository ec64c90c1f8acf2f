"""A container for a widget, or for a line that says why there is nothing to show."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QStackedWidget, QWidget


class WithPlaceholder(QStackedWidget):
    """Shows ``content``, or a message in its place."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.sentence = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.sentence.setProperty("role", "muted")
        self.addWidget(self.sentence)
        self.addWidget(content)

    def say(self, sentence: str) -> None:
        """Shows a message."""
        self.sentence.setText(sentence)
        self.setCurrentIndex(0)

    def show_content(self) -> None:
        """Shows the content."""
        self.setCurrentIndex(1)
