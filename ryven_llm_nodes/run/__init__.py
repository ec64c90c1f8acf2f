"""Executes a program: loads its text, checks data and rewards, runs its statements, and reports events."""

from ryven_llm_nodes.run.events import Event, Listener
from ryven_llm_nodes.run.execute.apart import in_processes, run_apart
from ryven_llm_nodes.run.execute.cancelling import CancelToken
from ryven_llm_nodes.run.execute.runner import Outcome, run_program
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
