"""The project of a window as a file: where it is saved to, what it is a copy of, and whether it is modified."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.shiboken import isValid

from ryven_llm_nodes.host.saving import save_project


class Document(QObject):
    """The project that the main window ``window`` shows; ``stacks`` gives the undo stacks of its flows."""

    placed = Signal()
    """It has another path, root or origin."""
    touched = Signal()
    """Its modified state may have changed."""

    def __init__(self, window: Any, stacks: Callable[[], Iterable[Any]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.window, self._stacks = window, stacks
        self.path: Path | None = None
        """The file that it is saved to; None for a new project or a copy."""
        self.root: Path | None = None
        """The folder that its relative paths are looked up in; None: the current one."""
        self.origin: Path | None = None
        """What it is a copy of."""
        self.untouched: Callable[[], list[str]] = list
        """Gives the titles of the flows that a new project began with, and that nothing was done with."""
        self._stamp: tuple[int, int] | None = None
        self._unsaved = False
        self._began_new = True

    def place(self, path: Path | None, root: Path | None = None, origin: Path | None = None) -> None:
        """Gives it a file, None for a new project or a copy of ``origin``.

        Its relative paths are looked up in ``root`` (default: that of ``path``, or the current folder).
        """
        self.path, self.origin, self._stamp = path, origin, stamp(path)
        self.root = root or (path.resolve().parent if path else None)
        self._began_new = path is None and origin is None
        self.placed.emit()

    @property
    def folder(self) -> Path:
        """The folder that relative paths are looked up in."""
        return self.root or Path.cwd()

    @property
    def source(self) -> str:
        """The name of its file, or of what it is a copy of; empty for a new one."""
        named = self.path or (self.origin.resolve() if self.origin else None)
        return named.name if named else ""

    @property
    def title(self) -> str:
        """The name in the window title."""
        return f"{'' if self.path else 'copy of '}{self.source}" if self.source else "unsaved"

    # Changes

    @property
    def modified(self) -> bool:
        """Whether anything was done since the project was opened or saved."""
        # a closing window takes its stacks along
        return self._unsaved or any(isValid(stack) and not stack.isClean() for stack in self._stacks())

    def change(self) -> None:
        """Something was done that cannot be undone."""
        self._unsaved = True
        self.touched.emit()

    def watch(self, stack: Any) -> None:
        """Emits :attr:`touched` when the undo stack of a flow reaches, or leaves, the saved state."""
        stack.cleanChanged.connect(self._touched)

    def _touched(self, *_: object) -> None:
        self.touched.emit()

    # Saving

    def is_changed_elsewhere(self, path: Path) -> bool:
        """Whether another program has written to ``path``, the file of this project, since it was opened or saved."""
        return path == self.path and self._stamp is not None and stamp(path) not in (self._stamp, None)

    @property
    def left_out(self) -> list[str]:
        """The titles of flows that are not saved: a new project may begin with a demo that nothing was done with."""
        titles = self.untouched() if self._began_new else []
        return titles if len(titles) < len(self.window.core_session.flows) else []

    def write(self, path: Path) -> None:
        """Saves the project to ``path``, its file from now on. Raises LLMNodesError and then changes nothing."""
        root, began_new = self.folder, self._began_new
        save_project(self.window, path, root, without=self.left_out)
        self.place(path, root)
        self._began_new = began_new
        self.unchanged()

    def unchanged(self) -> None:
        """What is shown is what its file, or what it is a copy of, holds."""
        self._unsaved = False
        for stack in self._stacks():
            stack.setClean()
        self.touched.emit()


def stamp(path: Path | None) -> tuple[int, int] | None:
    """What identifies a version of a file; None if there is no file."""
    try:
        about = path.stat() if path else None
    except OSError:
        return None
    return (about.st_mtime_ns, about.st_size) if about else None
