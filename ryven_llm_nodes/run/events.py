"""What a run reports: plain data, so that events can cross to another thread, or as JSON lines to another process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from ryven_llm_nodes.errors import Problem, Remedy, Weight


@dataclass(frozen=True)
class Event:
    """Base of all events; ``step`` is the name of the node that it is about, or empty."""

    kind: ClassVar[str] = ""
    step: str = ""

    def to_data(self) -> dict[str, Any]:
        """As plain data, with the kind of the event."""
        return {"event": type(self).__name__, **asdict(self)}

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_data())


@dataclass(frozen=True)
class RunStarted(Event):
    """A run starts; ``stages`` are the names of the stages in the order in which they will run.

    ``record`` is the folder of its record, empty if it has none because it cannot run.
    """

    stages: tuple[str, ...] = ()
    output_dir: str = ""
    record: str = ""


@dataclass(frozen=True)
class Log(Event):
    """A line for the log."""

    text: str = ""


@dataclass(frozen=True)
class Warned(Event):
    """Something probably unintended that can run nevertheless; ``text`` is a full line, with place and remedy.

    ``parameter`` is the parameter or port that it is about, or empty; ``weight`` is warning or note; ``row`` the first
    row that it is about, counted from 1. Reported once per run, however often it happens.
    """

    parameter: str = ""
    text: str = ""
    weight: Weight = "warning"
    row: int | None = None
    remedy: Remedy | None = None

    @classmethod
    def of(cls, problem: Problem) -> Warned:
        """The event of a finding that does not keep the flow from running."""
        return cls(problem.step, problem.parameter, str(problem), problem.weight, problem.row, problem.remedy)

    @property
    def line(self) -> str:
        """The line that a terminal shows."""
        return Problem(self.text, weight=self.weight, remedy=self.remedy).line

    @property
    def problem(self) -> Problem:
        """The finding, to be shown at its node."""
        text = self.text.partition(f" > {self.parameter}: " if self.parameter else ": ")[2] if self.step else self.text
        return Problem(text or self.text, "", self.parameter, self.step, self.weight, self.row, self.remedy)


@dataclass(frozen=True)
class StageStarted(Event):
    """A node starts to run."""

    label: str = ""


@dataclass(frozen=True)
class Progress(Event):
    """A trainer has done ``done`` of ``total`` optimizer steps."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Metrics(Event):
    """What a trainer logged after ``done`` optimizer steps; not-a-number is None."""

    done: int = 0
    values: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Tracked(Event):
    """A trainer reports its metrics to ``service``, where they are at ``place``: an address, a folder, or empty."""

    service: str = ""
    place: str = ""


@dataclass(frozen=True)
class Completions(Event):
    """Samples that a reward has scored during optimizer step ``done`` + 1: prompts, completions, and their rewards.

    Conversations are given as text, one message per line. A reward of None does not apply.
    """

    done: int = 0
    reward: str = ""
    prompts: tuple[str, ...] = ()
    completions: tuple[str, ...] = ()
    scores: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class StageFinished(Event):
    """A node has run; ``folder`` is where what it left lies, a model or a report, if it left anything."""

    folder: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class StageReused(Event):
    """A cached stage is reused: ``folder`` holds what it left, and ``reason`` says why that is still valid."""

    folder: str = ""
    reason: str = ""


@dataclass(frozen=True)
class StageFailed(Event):
    """A node failed; ``message`` is one line, ``details`` the traceback."""

    message: str = ""
    details: str = ""


@dataclass(frozen=True)
class RunFinished(Event):
    """A run ended: ``status`` is done, failed or cancelled; ``models`` maps nodes to folders."""

    status: str = "done"
    models: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def event_of(data: Mapping[str, Any]) -> Event:
    """The event that :meth:`Event.to_data` described, also after a way through JSON.

    Raises KeyError for an unknown kind.
    """
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items() if name != "event"}
    if remedy := values.get("remedy"):
        values["remedy"] = Remedy(**remedy)
    return _KINDS[data["event"]](**values)


_KINDS: Final = {kind.__name__: kind for kind in Event.__subclasses__()}
Listener: TypeAlias = Callable[[Event], Any]
