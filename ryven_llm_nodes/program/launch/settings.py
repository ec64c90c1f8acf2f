"""The launch settings of a flow: one declaration behind what is stored, the command line, and what is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ryven_llm_nodes.catalogue.parameters import JSON, Parameter, choice, flag, whole
from ryven_llm_nodes.errors import UsageError, one_line, shown, suggestion

KEY: Final = "launch"
"""Where a flow keeps its launch settings, next to its nodes; Ryven itself ignores it."""
STAGES: Final = "stages"
"""Among these, the settings of single stages, by name."""
STRATEGIES: Final = ("one", "ddp", "fsdp2", "zero2", "zero3")
SHARDED: Final = ("fsdp2", "zero3")
"""The strategies under which no process holds all weights."""
PARAMETERS: Final[tuple[Parameter, ...]] = (
    whole("processes", 1, "Processes on each machine: one per GPU.", at_least=1, at_most=4096, typical="1 to 8"),
    whole("machines", 1, "Machines, with as many processes each.", at_least=1, at_most=65536, typical="1 to 8"),
    choice(
        "strategy",
        "one",
        STRATEGIES,
        "What each process holds. one: a single process. ddp: all of the model. zero2: all weights, a share of "
        "gradients and optimizer. fsdp2, zero3: a share of everything.",
    ),
    choice(
        "precision",
        "auto",
        ("auto", "bf16", "fp16", "no"),
        "Precision of a step. auto: bf16 on a GPU that has it. A stage whose own settings say otherwise follows those.",
    ),
    choice(
        "activation_checkpointing",
        "auto",
        ("auto", "on", "off"),
        "Compute activations again instead of keeping them. auto: as each stage says.",
    ),
    flag("cpu_offload", False, "Keep weights and optimizer in main memory between steps (fsdp2, zero2, zero3)."),
)
BY_NAME: Final[Mapping[str, Parameter]] = {parameter.name: parameter for parameter in PARAMETERS}
FIELDS: Final[Mapping[str, Mapping[str, Mapping[str, JSON]]]] = {
    "precision": {"bf16": {"bf16": True}, "fp16": {"fp16": True}, "no": {"bf16": False}},
    "activation_checkpointing": {"on": {"gradient_checkpointing": True}, "off": {"gradient_checkpointing": False}},
}
"""The fields of a trainer that a launch setting stands for."""


@dataclass(frozen=True)
class Launch:
    """How stages are launched: ``given`` holds the settings that differ from the defaults, ``stages`` those of stages.

    Invalid settings are reported by :meth:`problems`; a value is read by ``launch["strategy"]``.
    """

    given: Mapping[str, JSON] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> JSON:
        return self.given.get(name, BY_NAME[name].default)

    @property
    def total(self) -> int:
        """The processes on all machines."""
        return self["processes"] * self["machines"]

    @property
    def strategy(self) -> str:
        """The strategy; several processes need one other than ``one``."""
        return "ddp" if self["strategy"] == "one" and self.total > 1 else self["strategy"]

    @property
    def is_sharded(self) -> bool:
        """Whether no process holds all weights."""
        return self.total > 1 and self.strategy in SHARDED

    @property
    def fields(self) -> dict[str, JSON]:
        """The fields of a trainer's configuration that these settings stand for."""
        return {key: value for name, by in FIELDS.items() for key, value in by.get(self[name], {}).items()}

    def of(self, stage: str) -> Launch:
        """The settings of one stage."""
        return Launch({**self.given, **self.stages.get(stage, {})})

    def on(self, processes: int) -> Launch:
        """The same on a number of processes of this machine."""
        return Launch({**self.given, "processes": processes, "machines": 1}, self.stages) if processes > 1 else self

    def renamed(self, moved: Mapping[str, str]) -> Launch:
        """The same where stages have other names; ``moved`` has the new ones by the old."""
        return Launch(self.given, {moved.get(stage, stage): own for stage, own in self.stages.items()})

    def problems(self, stages: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What is wrong, by the name of a setting; ``stages`` are the stages there are."""
        there = list(stages)
        yield from _wrong(self.given, "")
        for stage, given in self.stages.items():
            if stage not in there:
                yield f"{STAGES}.{stage}", f"there is no such stage.{suggestion(stage, there)}"
            yield from _wrong(given, f"{STAGES}.{stage}.")
            if not list(_wrong(given, "")):
                yield from ((f"{STAGES}.{stage}.{name}", text) for name, text in self.of(stage)._contradictions())
        if not list(_wrong(self.given, "")):
            yield from self._contradictions()

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self["strategy"] == "one" and "strategy" in self.given and self.total > 1:
            yield "strategy", f"'one' is a single process, but there are {self.total}; choose 'ddp' or 'fsdp2'."
        if self["cpu_offload"] and self.strategy in ("one", "ddp"):
            yield "cpu_offload", f"needs the strategy fsdp2, zero2 or zero3, got {self.strategy!r}."

    def to_data(self) -> dict[str, Any]:
        """As it is stored in a flow: only what was set."""
        stages = {name: dict(given) for name, given in self.stages.items() if given}
        return {**self.given, **({STAGES: stages} if stages else {})}

    @classmethod
    def of_data(cls, data: Any) -> Launch:
        """What a flow has stored; what is not an object counts as nothing."""
        data = dict(data) if isinstance(data, dict) else {}
        stages = data.pop(STAGES, {})
        known = stages if isinstance(stages, dict) else {}
        return cls(data, {name: given for name, given in known.items() if isinstance(given, dict)})


def _wrong(given: Mapping[str, JSON], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        parameter = BY_NAME.get(name)
        if parameter is None:
            yield f"{prefix}{name}", f"is no launch setting.{suggestion(name, list(BY_NAME))} {_names()}"
        elif problem := parameter.problem(value):
            yield f"{prefix}{name}", problem


def _names() -> str:
    return f"There are {', '.join(BY_NAME)}."


def changed(launch: Launch, settings: Iterable[str]) -> Launch:
    """``launch`` with ``NAME=VALUE`` or ``STAGE.NAME=VALUE`` put in; several may be given in one text, with commas.

    Raises UsageError. Values are checked with the flow.
    """
    for setting in (part for text in settings for part in text.split(",")):
        target, equals, value = setting.strip().partition("=")
        stage, _, name = target.rpartition(".")
        parameter = BY_NAME.get(name)
        if not equals or parameter is None:
            near = suggestion(name, list(BY_NAME))
            text = f"--launch {shown(one_line(setting))}: write NAME=VALUE or STAGE.NAME=VALUE, such as strategy=fsdp2."
            raise UsageError(f"{text}{near} {_names()}")
        new = {name: parameter.parse(value)}
        if stage:
            launch = Launch(launch.given, {**launch.stages, stage: {**launch.stages.get(stage, {}), **new}})
        else:
            launch = Launch({**launch.given, **new}, launch.stages)
    return launch
