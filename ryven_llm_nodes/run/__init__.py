"""Executes a program: loads its text, checks data and rewards, runs its statements, and reports events.

What is named here is imported where it is first used: an editor that opens needs the events, and no runner yet.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ryven_llm_nodes.run.events import Event, Listener
    from ryven_llm_nodes.run.execute.apart import in_processes, run_apart
    from ryven_llm_nodes.run.execute.cancelling import CancelToken
    from ryven_llm_nodes.run.execute.outcome import Outcome
    from ryven_llm_nodes.run.execute.runner import run_program
    from ryven_llm_nodes.run.execute.stage import here

__all__ = ["CancelToken", "Event", "Listener", "Outcome", "here", "in_processes", "run_apart", "run_program"]

_MODULES: Final = {
    "CancelToken": "execute.cancelling",
    "Event": "events",
    "Listener": "events",
    "Outcome": "execute.outcome",
    "here": "execute.stage",
    "in_processes": "execute.apart",
    "run_apart": "execute.apart",
    "run_program": "execute.runner",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
