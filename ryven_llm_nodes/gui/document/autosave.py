"""Saves the changes of a project to a recovery file, which survives a crash."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from qtpy.QtCore import QObject, QTimer, Signal

from ryven_llm_nodes.errors import one_line
from ryven_llm_nodes.gui.concurrency.garbage_collection import main_collector
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.host.recovery import RecoveryFile
from ryven_llm_nodes.host.saving import contents

INTERVAL_MS: Final = 20_000


class Autosave(QObject):
    """Writes the recovery file of ``document`` while it is modified, and removes it when it is not.

    Typed text reaches the project within a second, so that no field has to be read here.
    """

    failed = Signal(str)
    """Why the recovery file cannot be written, once for each reason."""

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._kept: Any = None
        self._said: set[str] = set()
        self.file = RecoveryFile(self._tell)
        self.timer = QTimer(self, interval=INTERVAL_MS)
        self.timer.timeout.connect(self.keep)
        self.timer.start()

    def keep(self) -> None:
        """Saves what has changed since the last time, in a thread that blocks nothing."""
        if self._take():
            main_collector().start()  # which must not collect widgets
            self.file.write_soon()

    def _take(self) -> bool:
        """Passes changes to the recovery file; whether there were any."""
        if not self._document.modified:
            self.forget()
        elif (project := self._project()) is not None and project["flows"]:
            if project["flows"] == self._kept:
                self.file.touch()
                return False
            self._kept = project["flows"]
            self.file.hold(project, self._document.path, self._document.folder, self._document.origin)
            return True
        return False

    def keep_now(self) -> bool:
        """Saves all changes, and waits until they are on disk; whether they are."""
        self._take()
        return self.file.write()

    def forget(self) -> None:
        """Everything is saved or discarded."""
        self._kept = None
        self.file.remove()

    def _project(self) -> dict[str, Any] | None:
        try:
            return contents(self._document.window)
        except Exception as error:  # any error of a node; saving will report it, too
            self._tell(one_line(f"✗ the recovery file cannot be written: {type(error).__name__}: {error}"))
            return None

    def _tell(self, why: str) -> None:
        """Also called by the thread that writes."""
        if why not in self._said:
            self._said.add(why)
            with suppress(RuntimeError):  # the window is gone
                self.failed.emit(why)
