"""One window per file: opening a file that a window of any process shows already brings that to the front."""

from __future__ import annotations

import getpass
import hashlib
import os
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QObject, Signal

from ryven_llm_nodes.gui.state.document import Document

CONNECT_MS: Final = 500
ANSWER_MS: Final = 3000
"""A window answers between two events, which may take a moment while a model trains."""
HERE: Final = b"here"


class OneWindow(QObject):
    """Answers other editors that are told to open the file of ``document``."""

    wanted = Signal()
    """The window is to come to the front."""

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._server: Any = None
        document.placed.connect(self._listen)

    def shows(self, path: Path) -> bool:
        """Whether ``path`` is the file of this window."""
        own = self._document.path
        return own is not None and os.path.realpath(own) == os.path.realpath(path)

    def close(self) -> None:
        """Answers no longer."""
        if self._server is not None:
            self._server.close()
            self._server.deleteLater()
            self._server = None

    def _listen(self) -> None:
        self.close()
        if self._document.path is None:
            return
        from qtpy.QtNetwork import QLocalServer  # a window without a file opens sooner

        name = _name(self._document.path)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        if not self._server.listen(name) and not _is_answered(name):
            QLocalServer.removeServer(name)  # of a process that was killed
            self._server.listen(name)

    def _answer(self) -> None:
        if self._server is None or (socket := self._server.nextPendingConnection()) is None:
            return
        socket.disconnected.connect(socket.deleteLater)
        socket.write(HERE)
        socket.flush()
        socket.disconnectFromServer()
        self.wanted.emit()


def raise_window(path: Path) -> bool:
    """Brings the window of another process that shows ``path`` to the front. False if there is none."""
    from qtpy.QtNetwork import QLocalSocket

    socket = QLocalSocket()
    socket.connectToServer(_name(path))
    return socket.waitForConnected(CONNECT_MS) and (socket.bytesAvailable() > 0 or socket.waitForReadyRead(ANSWER_MS))


def _is_answered(name: str) -> bool:
    """Whether a process listens there."""
    from qtpy.QtNetwork import QLocalSocket

    socket = QLocalSocket()
    socket.connectToServer(name)
    return socket.waitForConnected(CONNECT_MS)


def _name(path: Path) -> str:
    digest = hashlib.sha256(f"{getpass.getuser()}\0{os.path.realpath(path)}".encode()).hexdigest()
    return f"ryven-llm-{digest[:24]}"
