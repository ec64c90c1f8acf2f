"""Finds in a thread where the next run of a flow would resume: the editor looks at files, and no window waits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from qtpy.QtCore import QObject

from ryven_llm_nodes.gui.concurrency.threads import background
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.gui.state.flow_state import FlowState
from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run.store.decisions import Decision
from ryven_llm_nodes.run.store.resumable import resumable


class _Wanted(NamedTuple):
    drawn: Drawn
    program: Program
    output_dir: Path


class Resuming(QObject):
    """Tells each :class:`FlowState` where its flow resumes.

    A look may read large files, so that there is one at a time per flow; what changes meanwhile waits for its end.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._active: set[FlowState] = set()
        self._waiting: dict[FlowState, _Wanted | None] = {}

    def look(self, state: FlowState, drawn: Drawn, program: Program, output_dir: Path) -> None:
        """Looks where a run of ``program``, just made of ``drawn``, would resume."""
        self._waiting[state] = _Wanted(drawn, program, output_dir)
        self._begin(state)

    def forget(self, state: FlowState) -> None:
        """The flow cannot run as it is drawn now."""
        self._waiting[state] = None
        state.show_resumable({})

    def _begin(self, state: FlowState) -> None:
        if state in self._active or (wanted := self._waiting.pop(state, None)) is None:
            return
        self._active.add(state)

        def show(found: Mapping[str, Decision]) -> None:
            self._active.discard(state)
            if state not in self._waiting:
                nodes = wanted.drawn.nodes
                state.show_resumable({nodes[step]: decision for step, decision in found.items()})
            self._begin(state)

        background().start(lambda: _found(wanted.program, wanted.output_dir), self, show)


def _found(program: Program, output_dir: Path) -> Mapping[str, Decision]:
    """What can be resumed; nothing where that cannot be read, or changes meanwhile."""
    with suppress(OSError):
        return resumable(program, output_dir)
    return {}
