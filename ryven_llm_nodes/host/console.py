"""Fixes the console of a Ryven that was started by its own command, to which all output goes."""

from __future__ import annotations

import sys
import threading
from typing import Any

from ryven_llm_nodes.host.versions import RYVEN, workaround


@workaround(RYVEN)
def output_is_a_stream() -> None:
    """gui/main_console.py:307: what stands for stdout and stderr can only write, so that importing TRL fails.

    It writes to a widget, which only the main thread may touch; what other threads write goes to the terminal.
    """
    from ryven.gui.main_console import MainConsole, RedirectOutput

    write_to_widget = RedirectOutput.write

    def write(self: Any, text: str) -> int:
        if threading.current_thread() is threading.main_thread():
            write_to_widget(self, text)
        elif (stream := _terminal(self.func == MainConsole.instance.errorwrite)) is not None:
            stream.write(text)
        return len(text)

    RedirectOutput.write = write
    RedirectOutput.flush = lambda self: None
    RedirectOutput.isatty = lambda self: False
    RedirectOutput.encoding = "utf-8"
    RedirectOutput.errors = "replace"


def _terminal(is_error: bool) -> Any:
    """What the process was started with; None for a program without a terminal, on Windows."""
    return sys.__stderr__ if is_error else sys.__stdout__
