"""Files that are dropped on the canvas, which Ryven ignores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QMimeData, QObject, Signal
from ryvencore_qt.src.flows.FlowView import FlowView

from ryven_llm_nodes.host.arranging import can_insert, insert_on, wire_at
from ryven_llm_nodes.host.versions import CORE_QT, workaround


class _Drops(QObject):
    dropped = Signal(object, object, object)


_drops: Final = _Drops()
dropped_signal: Final = _drops.dropped
"""Emitted with the canvas, the list of paths, and the place in its scene."""


def paths_of(mime: QMimeData) -> list[Path]:
    """The local files and folders in ``mime``."""
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]


def dropped_class(view: FlowView, mime: QMimeData) -> type | None:
    """The class of the node that is dragged from the palette."""
    try:
        name = json.loads(bytes(mime.data("application/json").data()))["node identifier"]
    except (ValueError, LookupError, TypeError):
        return None
    return next((node for node in view.session_gui.core_session.nodes if node.identifier == name), None)


@workaround(CORE_QT)
def files_can_be_dropped() -> None:
    """flows/FlowView.py:667: only nodes of the palette can be dropped on the canvas."""
    drop = FlowView.dropEvent

    def entered(original: Any) -> Any:
        def handle(self: FlowView, event: Any) -> None:
            if paths_of(event.mimeData()):
                event.acceptProposedAction()
            else:
                original(self, event)

        return handle

    def dropped(self: FlowView, event: Any) -> None:
        paths = paths_of(event.mimeData())
        if not paths:
            wire = wire_at(self, event.position().toPoint())
            node = dropped_class(self, event.mimeData())
            if wire is not None and node is not None and can_insert(node, wire):
                insert_on(self, node, wire)
            else:
                drop(self, event)
            return
        event.acceptProposedAction()
        dropped_signal.emit(self, paths, self.mapToScene(event.position().toPoint()))

    FlowView.dragEnterEvent = entered(FlowView.dragEnterEvent)
    FlowView.dragMoveEvent = entered(FlowView.dragMoveEvent)
    FlowView.dropEvent = dropped
