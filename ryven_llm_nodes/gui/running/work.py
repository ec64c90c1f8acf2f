"""What the worker does with a flow: runs it, rehearses it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.run import CancelToken, Outcome
from ryven_llm_nodes.run.events import Listener

Work: TypeAlias = Callable[[Program, Path, Listener, CancelToken], Outcome]
"""Given a program, the folder of its output, and who listens. Called in the worker; heavy imports belong inside."""


def run_here(
    isolated: bool, rehearse: bool, fresh: bool, program: Program, output: Path, listen: Listener, cancel: CancelToken
) -> Outcome:
    """Runs or rehearses ``program``; ``isolated``, each of its stages in a process; ``fresh`` reuses nothing."""
    from ryven_llm_nodes.run import rehearse_program, run_apart, run_program

    run = partial(run_apart, isolated=True) if isolated else run_program
    run = partial(rehearse_program, run=run) if rehearse else run
    return run(program, output, listen, cancel, fresh)
