"""The states of nodes, stages and runs: one list, with the words and marks that every display uses.

Events and records hold a state's value; displays show its ``word``, in a colour chosen by its ``tone``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Look(NamedTuple):
    """What is shown of a state."""

    word: str
    mark: str
    tone: str


class RunState(StrEnum):
    """A state by the value that events and records hold."""

    READY = "ready"
    """A node that has not run, or would have to run again."""
    WRONG = "wrong"
    """A node with a problem that a check has found."""
    STALE = "stale"
    """A node that has changed since it ran."""
    RESUMABLE = "resumable"
    """A node whose training was stopped, or killed: the next run resumes it from a checkpoint."""
    RUNNING = "running"
    DONE = "done"
    REUSED = "reused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    KILLED = "killed"
    """A run that ended without writing a status: its process was killed."""
    ABORTED = "aborted"
    """A run that ended by an error of this package, or with its process."""
    NOT_BEGUN = "not begun"
    """A stage that its run never reached."""

    @property
    def word(self) -> str:
        """What the user reads."""
        return _LOOKS[self].word

    @property
    def mark(self) -> str:
        """One character, for lines of text."""
        return _LOOKS[self].mark

    @property
    def tone(self) -> str:
        """quiet, active, good, warn or bad."""
        return _LOOKS[self].tone

    @property
    def is_end(self) -> bool:
        """Whether a stage in this state has finished."""
        return self in ENDS


_LOOKS: Final = {
    RunState.READY: Look("ready", "·", "quiet"),
    RunState.WRONG: Look("needs attention", "!", "warn"),
    RunState.STALE: Look("needs attention", "!", "warn"),
    RunState.RESUMABLE: Look("can resume", "■", "warn"),
    RunState.RUNNING: Look("running", "▶", "active"),
    RunState.DONE: Look("done", "✓", "good"),
    RunState.REUSED: Look("reused", "✓", "good"),
    RunState.FAILED: Look("failed", "✗", "bad"),
    RunState.CANCELLED: Look("stopped", "■", "warn"),
    RunState.KILLED: Look("failed: killed", "✗", "bad"),
    RunState.ABORTED: Look("failed: aborted", "✗", "bad"),
    RunState.NOT_BEGUN: Look("not begun", "·", "quiet"),
}
ENDS: Final = (RunState.DONE, RunState.REUSED, RunState.FAILED, RunState.CANCELLED, RunState.KILLED, RunState.ABORTED)
"""How a stage or a run can end."""


def state_in(status: str) -> RunState | None:
    """The state that ``status``, of a run or of a stage in a record, begins with: ``cancelled (2 of 4)``.

    None for a status of another version of this package.
    """
    return next((state for state in RunState if status == state or status.startswith(f"{state} ")), None)


def in_words(status: str) -> str:
    """``status`` as the user reads it: ``stopped (2 of 4)`` for ``cancelled (2 of 4)``."""
    state = state_in(status)
    return status if state is None else state.word + status.removeprefix(state)


def tone_of(status: str) -> str:
    """The tone of ``status``; ``warn`` for one that is not known."""
    state = state_in(status)
    return state.tone if state else "warn"
