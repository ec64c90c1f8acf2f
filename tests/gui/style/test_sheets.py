"""The style sheet of the window, in the dialogs that Qt brings along."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QFont
from qtpy.QtWidgets import QFileDialog, QHeaderView, QPushButton


def test_qts_own_file_dialog_looks_like_the_other_dialogs(shared: Any) -> None:
    """Ryven's sheet writes its buttons and titles in capitals, for which they have no room."""
    dialog = QFileDialog(shared.window)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.show()
    shared.settle(50)
    buttons, titles = dialog.findChildren(QPushButton), dialog.findChildren(QHeaderView)
    assert buttons
    assert titles
    assert {button.font().capitalization() for button in buttons} == {QFont.Capitalization.MixedCase}
    assert {button.font().pixelSize() for button in buttons} == {12}
    dialog.close()
