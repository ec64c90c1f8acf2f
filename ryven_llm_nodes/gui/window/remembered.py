"""The layout of the window, which belongs to its user: size, docks and tabs are kept between starts, in no project."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QByteArray, QSize
from qtpy.QtWidgets import QMainWindow

from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.gui.widgets.first_size import room_on
from ryven_llm_nodes.system.files import write_whole
from ryven_llm_nodes.system.userdirs import state_dir

VERSION: Final = 2
"""Of the set of docks: a layout of another version is not restored."""
SHARE: Final = 0.85
"""How much of the screen the window takes at first."""
SMALLEST: Final = (1200, 720)


def file() -> Path:
    """Where the layout is kept."""
    return state_dir() / "window.json"


def first_size(screen: QSize) -> QSize:
    """The size of a window that was never opened: most of the available ``screen``, and never more."""
    return (screen * SHARE).expandedTo(QSize(*SMALLEST)).boundedTo(room_on(screen))


class Layout:
    """A remembered layout; empty where there is none, or none that can be read."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}
        try:
            parts = json.loads(file().read_text(encoding="utf-8"))
            self._parts = {name: text for name, text in parts.items() if isinstance(text, str)}
        except (OSError, ValueError, AttributeError):
            pass  # the first start, or a file of another version

    def restore_size(self, window: QMainWindow) -> bool:
        """Gives ``window`` its size and place. False if they are not known."""
        return window.restoreGeometry(self._bytes("geometry"))

    def restore_docks(self, window: QMainWindow) -> bool:
        """Arranges the docks of ``window``. False if that is not known."""
        return window.restoreState(self._bytes("docks"), VERSION)

    def restore_flow(self, flow_ui: QMainWindow) -> bool:
        """Arranges the docks next to the canvas of a flow. False if that is not known."""
        return flow_ui.restoreState(self._bytes("flow"), VERSION)

    def _bytes(self, part: str) -> QByteArray:
        return QByteArray.fromHex(self._parts.get(part, "").encode("ascii", "replace"))


def remember(window: QMainWindow, flow_uis: Iterable[QMainWindow]) -> str:
    """Keeps the layout of ``window``, and of the last of its ``flow_uis``. Returns why that failed, or nothing."""
    parts = {"geometry": _hex(window.saveGeometry()), "docks": _hex(window.saveState(VERSION))}
    for flow_ui in flow_uis:
        parts["flow"] = _hex(flow_ui.saveState(VERSION))
    try:
        file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file(), json.dumps(parts), private=True)
    except (LLMNodesError, OSError) as error:
        return f"the layout of the window is not kept: {error}"
    return ""


def _hex(data: Any) -> str:
    return bytes(data.toHex().data()).decode("ascii")
