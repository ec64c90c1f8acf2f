"""Puts the nodes of a project onto a canvas."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

from qtpy.QtCore import QPointF
from ryvencore_qt.src.flows.FlowCommands import Paste_Command

from ryven_llm_nodes.program.annotations import KEY
from ryven_llm_nodes.program.mending import mended


def fill(view: Any, project: Mapping[str, Any], offset: QPointF | None = None) -> list[Any]:
    """Places the nodes and wires of the only flow of ``project``, moved by ``offset``, as one undoable command.

    Returns the nodes. Names that are taken already get a number.
    """
    ((_, flow),) = mended(project)["flows"].items()
    data = {"nodes": flow["nodes"], "connections": flow["connections"], "output data": [], "drawings": []}
    data |= {KEY: flow[KEY]} if KEY in flow else {}
    command = Paste_Command(view, data, offset or QPointF(0, 0))
    with redirect_stdout(io.StringIO()):  # Ryven prints that widgets have no state of their own
        view.push_undo(command)
    return list(command.pasted_components["nodes"])
