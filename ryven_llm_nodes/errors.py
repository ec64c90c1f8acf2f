"""All errors shown to users: what is wrong, where, with which value, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any, Final, Literal

LONGEST_PLACE: Final = 240


Weight = Literal["error", "warning", "note"]
"""An error keeps a flow from running. With a warning it runs, but probably teaches nothing, or something other than
intended. A note is worth knowing."""
WEIGHTS: Final[tuple[Weight, ...]] = ("error", "warning", "note")
"""The most severe first."""


@dataclass(frozen=True)
class Remedy:
    """A remedy that can be carried out: a parameter of a node is set to a value (None: to its default).

    Or, where ``insert`` is given, a node that is for that (``LLMNode.inserted_for``) is inserted on the wire into the
    port ``parameter``, with the parameters of ``value``. ``step`` is the name of the node; empty in what a node finds
    about itself.
    """

    parameter: str
    value: Any = field(hash=False)  # it may be a list or an object
    step: str = ""
    insert: str = ""

    @property
    def setting(self) -> str:
        """As it is given on the command line, after ``--set``; empty where a node has to be inserted."""
        if self.insert:
            return ""
        value = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return f"{self.step}.{self.parameter}={value}"


@dataclass(frozen=True)
class Problem:
    """One thing that was found in a flow, in one line.

    ``node`` is the node's label ("DPO 'align'"), or empty for the flow itself; ``step`` its name in
    the graph, by which an editor finds it; ``parameter`` the parameter or port, or empty. ``row`` is the first row that
    it is about, counted from 1.
    """

    message: str
    node: str = ""
    parameter: str = ""
    step: str = ""
    weight: Weight = "error"
    row: int | None = None
    remedy: Remedy | None = None

    def __str__(self) -> str:
        place = " > ".join(part for part in (clipped(self.node, LONGEST_PLACE), self.parameter) if part)
        return printable(one_line(f"{place}: {self.message}" if place else self.message))

    @property
    def line(self) -> str:
        """The line that a terminal shows, with the remedy as an option of the command line."""
        setting = self.remedy.setting if self.remedy else ""
        option = f" (--set {quote(setting)})" if setting else ""
        return f"{self.weight}: {self}{option}"

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Problem:
        """The problem that ``asdict`` made ``fields`` of, in another process."""
        return cls(**{**fields, "remedy": fields["remedy"] and Remedy(**fields["remedy"])})

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for programs."""
        names = ("weight", "step", "node", "parameter", "message", "row")
        setting = (self.remedy.setting or None) if self.remedy else None
        insert = (self.remedy.insert or None) if self.remedy else None
        return {name: getattr(self, name) for name in names} | {"set": setting, "insert": insert, "text": str(self)}


def by_weight(problems: Iterable[Problem]) -> list[Problem]:
    """Each once, errors before warnings before notes."""
    return sorted(dict.fromkeys(problems), key=lambda problem: WEIGHTS.index(problem.weight))


class LLMNodesError(Exception):
    """Base of all errors that are shown to users without a traceback."""


class FlowError(LLMNodesError):
    """A flow that cannot be run; ``problems`` lists everything that is wrong with it, at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StageError(LLMNodesError):
    """A node failed while it ran. ``problem`` says where; the traceback goes to the log, by the event StageFailed."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class Explained(Exception):
    """A stage failed; the message says what happened and what to do, in one line, without the node's name."""


class Cancelled(Exception):
    """A run was asked to stop. An outcome, not an error."""


class UsageError(LLMNodesError):
    """An invalid command line."""


class DemoError(LLMNodesError):
    """The demo cannot get what it needs (the model, disk space, ...)."""


def one_line(text: str) -> str:
    """``text`` with every run of whitespace, including line breaks, as one space."""
    return " ".join(text.split())


def printable(text: str) -> str:
    """``text`` with control, bidirectional and invisible characters escaped: names may come from untrusted files."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clipped(text: str, limit: int) -> str:
    """``text`` with its middle elided if it is longer than ``limit``: the end of a path is its most useful part."""
    return text if len(text) <= limit else f"{text[: limit // 4]}...{text[-(limit - limit // 4 - 3) :]}"


def shown(value: object, limit: int = 60) -> str:
    """``value`` as shown in messages: its ``repr``, cut to ``limit`` characters."""
    try:
        text = repr(value)
    except ValueError:  # an int of more than 4,300 digits has no repr
        text = f"{_kind(value)} with too many digits"
    except RecursionError:
        text = f"{_kind(value)} with too many levels"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _kind(value: object) -> str:
    return "a whole number" if isinstance(value, int) else f"a {type(value).__name__}"


def suggestion(name: str, names: Sequence[str]) -> str:
    """``Did you mean 'x'?`` for the nearest of ``names``, or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
