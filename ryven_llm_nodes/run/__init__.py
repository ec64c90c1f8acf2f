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
    from ryven_llm_nodes.run.rehearsing.rehearse import rehearse as rehearse_program

__all__ = [
    "CancelToken",
    "Event",
    "Listener",
    "Outcome",
    "here",
    "in_processes",
    "rehearse_program",
    "run_apart",
    "run_program",
]

_PLACES: Final = {
    "CancelToken": ("execute.cancelling", "CancelToken"),
    "Event": ("events", "Event"),
    "Listener": ("events", "Listener"),
    "Outcome": ("execute.outcome", "Outcome"),
    "here": ("execute.stage", "here"),
    "in_processes": ("execute.apart", "in_processes"),
    "rehearse_program": ("rehearsing.rehearse", "rehearse"),
    "run_apart": ("execute.apart", "run_apart"),
    "run_program": ("execute.runner", "run_program"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), there)
