"""Ryven's undo stack: the only place where this package pushes commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qtpy.QtCore import QTimer
from ryvencore_qt.src.flows.FlowCommands import Delegate_Command, FlowUndoCommand

Action = Callable[[], None]


def push_undo(flow_view: Any, text: str, undo: Action, redo: Action) -> None:
    """Does ``redo`` now, as an undoable command of ``flow_view`` with the name ``text``.

    ryvencore_qt 0.5.0 refuses, and forgets, a command that is pushed while another one runs (FlowCommands.py:59-66).
    That happens when a click selects another node and so takes the focus from a field that has just been edited: the
    change is then made at once and its command pushed a moment later, when redoing it changes nothing.
    """
    if not FlowUndoCommand._any_cmd_active:
        flow_view.push_undo(Delegate_Command(flow_view, text, on_undo=undo, on_redo=redo))
        return
    redo()
    QTimer.singleShot(0, flow_view, lambda: push_undo(flow_view, text, undo, redo))


@contextmanager
def one_command(flow_view: Any, text: str) -> Iterator[None]:
    """What is pushed inside is undone and redone together, as the command ``text``."""
    flow_view._undo_stack.beginMacro(text)
    try:
        yield
    finally:
        flow_view._undo_stack.endMacro()
