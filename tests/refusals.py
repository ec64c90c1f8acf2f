"""Runs that are refused before anything is trained: which stages began, and what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flows import Project

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.run import Event
from ryven_llm_nodes.run.events import StageStarted

Run = Callable[..., tuple[Any, list[Event]]]


def trainers() -> tuple[type[LLMNode], ...]:
    """Every node that trains, whatever the catalogue offers."""
    return tuple(kind for kind in ALL_NODES if kind.is_stage)


def begun(events: Iterable[Event]) -> list[str]:
    """The names of the trainers that began, in order."""
    labels = tuple(f"{kind.title} " for kind in trainers())
    return [event.step for event in events if isinstance(event, StageStarted) and event.label.startswith(labels)]


def refused(run: Run, drawn: Project) -> list[str]:
    """The problems of a flow that is refused before its first stage."""
    outcome, events = run(drawn)
    assert outcome.status == "failed"
    assert begun(events) == []
    return [str(problem) for problem in outcome.error.problems]
