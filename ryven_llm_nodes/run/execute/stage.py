"""Runs the statement of one step, and reports its trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ryven_llm_nodes.errors import Cancelled
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.events import Listener, Log
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.library_warnings import about
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.watched import Steps, recording
from ryven_llm_nodes.run.store.kept import newest_step

if TYPE_CHECKING:
    from ryven_llm_nodes.run.execute.stopping import Stop


class Made(NamedTuple):
    """What a step has made: the ``value`` of its statement.

    ``ended_at`` is the step and the planned number of steps of a stage that was asked to end early.
    """

    value: Any
    ended_at: tuple[int, int] | None = None


Place: TypeAlias = Callable[[Program, LoadedProgram, Step, Listener, CancelToken], Made]
"""Where a stage runs. Raises Cancelled for one that was stopped, or the error of its statement."""


def here(program: Program, loaded: LoadedProgram, step: Step, tell: Listener, cancel: CancelToken) -> Made:
    """Runs the statement of ``step`` in this process."""
    from ryven_llm_nodes.run.execute.callback import Watch, watching
    from ryven_llm_nodes.run.execute.early_end import EarlyEnd, OwnCheckpoints
    from ryven_llm_nodes.run.execute.stopping import Stop, stopping_models

    folder, stop, told = loaded.output_dir / step.name, Stop(cancel), Steps(tell)
    early_end = EarlyEnd(folder, cancel.keep_event)
    with (
        _saying_where(step, folder, stop, tell),
        about(step),
        nullcontext() if program.cells[step.name].config else stopping_models(stop.raise_if_set),
        watching(Watch(step.name, folder, told), stop, early_end, OwnCheckpoints(folder)),
        recording(program, loaded, step, told, stop),
    ):
        return Made(loaded.run(step.name), early_end.at)


@contextmanager
def _saying_where(step: Step, folder: Path, stop: Stop, tell: Listener) -> Iterator[None]:
    """Inside, a training that is stopped says where, and from where the next run resumes."""
    try:
        yield
    except Cancelled:
        if stop.total:
            tell(Log(step.name, stop.sentence(step.name, newest_step(folder))))
        raise
