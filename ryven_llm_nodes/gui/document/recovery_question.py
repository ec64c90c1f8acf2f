"""Asks what to do with unsaved changes of an editor that crashed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QListWidget, QMessageBox, QVBoxLayout

from ryven_llm_nodes.gui.style.sheets import DIALOG_STYLE, PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.host.recovery import LeftBehind

RECOVER, DISCARD, NOT_NOW = "Recover", "Discard", "Not now"
_ROLES: Final = QDialogButtonBox.ButtonRole
_BUTTONS: Final = ((RECOVER, _ROLES.AcceptRole), (f"{DISCARD} All", _ROLES.ActionRole), (NOT_NOW, _ROLES.RejectRole))


def choose(left: Iterable[LeftBehind]) -> LeftBehind | None:
    """Asks once which of ``left`` is recovered; deletes the discarded ones. What is left is offered at the next start.

    None for none.
    """
    found = list(left)
    if not found:
        return None
    answer, chosen = (ask(found[0]), found[0]) if len(found) == 1 else ask_which(found)
    for one in found if answer == DISCARD else ():
        with suppress(FileNotFoundError):  # another editor asked, too
            one.file.unlink()
    return chosen if answer == RECOVER else None


def ask_which(left: Sequence[LeftBehind]) -> tuple[str, LeftBehind]:
    """One of RECOVER, DISCARD (all) and NOT_NOW, and the one that was selected."""
    dialog = QDialog(windowTitle="Recover?")
    dialog.setStyleSheet(PANEL_STYLE + DIALOG_STYLE)
    items = QListWidget()
    for one in left:
        items.addItem(" ".join(text for text in (one.summary(), one.warning()) if text))
    items.setCurrentRow(0)
    buttons = QDialogButtonBox()
    for number, (text, role) in enumerate(_BUTTONS, 1):
        buttons.addButton(text, role).clicked.connect(partial(dialog.done, number))
    items.itemDoubleClicked.connect(lambda: dialog.done(1))
    column = QVBoxLayout(dialog)
    column.addWidget(QLabel("The editor exited without saving. These changes can be recovered:"))
    column.addWidget(items)
    column.addWidget(buttons)
    open_with(dialog, 560, 280)
    answer = {1: RECOVER, 2: DISCARD}.get(dialog.exec(), NOT_NOW)  # 0 is Escape
    return answer, left[max(items.currentRow(), 0)]


def ask(left: LeftBehind) -> str:
    """One of RECOVER, DISCARD and NOT_NOW."""
    box = QMessageBox(QMessageBox.Icon.Question, "Recover?", left.question())
    box.setTextFormat(Qt.TextFormat.PlainText)  # a name may look like a tag
    box.setInformativeText(left.warning())
    roles = QMessageBox.ButtonRole
    recover = box.addButton(RECOVER, roles.AcceptRole)
    discard = box.addButton(DISCARD, roles.DestructiveRole)
    later = box.addButton(NOT_NOW, roles.RejectRole)
    box.setDefaultButton(recover)
    box.setEscapeButton(later)
    box.exec()
    return {recover: RECOVER, discard: DISCARD}.get(box.clickedButton(), NOT_NOW)
