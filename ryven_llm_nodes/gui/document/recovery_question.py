"""Asks what to do with unsaved changes of an editor that crashed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from ryven_llm_nodes.host.recovery import LeftBehind

RECOVER, DISCARD, NOT_NOW = "Recover", "Discard", "Not now"


def choose(left: Iterable[LeftBehind]) -> LeftBehind | None:
    """Asks about each of ``left`` until one is chosen for recovery; deletes the discarded ones."""
    for one in left:
        answer = ask(one)
        if answer == RECOVER:
            return one
        if answer == DISCARD:
            with suppress(FileNotFoundError):  # another editor asked, too
                one.file.unlink()
    return None


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
