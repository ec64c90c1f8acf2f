"""A flow without Ryven: steps, wires, names, order, and a hash of its meaning."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.values import Value
from ryven_llm_nodes.errors import FlowError, Problem
from ryven_llm_nodes.program.launch.settings import Launch


@dataclass(frozen=True)
class Wire:
    """Where an input gets its value: an output of another step."""

    step: str
    port: str


@dataclass(frozen=True)
class Step:
    """A node of the flow.

    ``name`` is unique in its graph and a Python identifier: variable, function and folder are named after it.
    ``given`` holds the parameters that were set, ``wires`` the inputs that are connected, ``index`` the position of
    the node in Ryven's list of nodes, ``title`` the name that its user gave it, if any, as it was typed, and ``place``
    where it lies on the canvas, in pixels.
    """

    name: str
    node: type[LLMNode]
    given: Mapping[str, JSON] = field(default_factory=dict)
    wires: Mapping[str, Wire] = field(default_factory=dict)
    index: int = 0
    title: str = ""
    place: tuple[float, float] = (0.0, 0.0)

    @property
    def label(self) -> str:
        """The step as messages name it: ``DPO 'align'``."""
        return f"{self.node.title} {self.name!r}"

    def setting(self, parameter: str) -> JSON:
        """The value of ``parameter``: as it was set, else its default."""
        return self.given.get(parameter, self.node.all_parameters()[parameter].default)

    def left_at(self, output_dir: Path) -> Path | None:
        """Where it writes its output, below ``output_dir`` or at the place its user chose; None for a value."""
        if self.node.writes:
            return output_dir / os.path.expanduser(str(self.setting(self.node.writes)))
        return output_dir / self.name if self.node.is_stage else None

    def wired(self, kind: str) -> tuple[str, ...]:
        """The inputs for values of ``kind`` that something is wired to, in the order of the node."""
        return tuple(port.name for port in self.node.in_ports if port.kind == kind and port.name in self.wires)

    @property
    def meaning(self) -> dict[str, JSON]:
        """The parameters that were set, except those that no result depends on."""
        irrelevant = {parameter.name for parameter in self.node.parameters if not parameter.outcome}
        return {name: value for name, value in self.given.items() if name not in irrelevant}

    def problem(self, message: str, parameter: str = "") -> Problem:
        """An error at this step."""
        return Problem(message, self.label, parameter, self.name)

    def found(self, finding: Finding) -> Problem:
        """What its node found, at this step."""
        remedy = finding.remedy and replace(finding.remedy, step=finding.remedy.step or self.name)
        problem = self.problem(finding.message, finding.place)
        return replace(problem, weight=finding.weight, row=finding.row, remedy=remedy)


@dataclass(frozen=True)
class Graph:
    """The steps of one flow, in the order of Ryven's list, with unique names.

    ``root`` is the folder that relative paths are looked up in, ``source`` the name of the flow's file, ``launch`` how
    its stages are launched.
    """

    title: str
    steps: tuple[Step, ...]
    root: Path = field(default_factory=Path.cwd)
    source: str = ""
    launch: Launch = field(default_factory=Launch)

    def context(self, step: Step, inputs: Mapping[str, Value]) -> NodeContext:
        """What the node of ``step`` knows, given a value for each input that is wired."""
        launch, known = self.launch.of(step.name), step.node.all_parameters() if step.node.is_stage else {}
        given = {name: value for name, value in launch.fields.items() if name in known}
        return NodeContext(
            step.node, step.name, {**given, **step.given}, inputs, self.root, launch.total, launch.is_sharded
        )

    @cached_property
    def by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.steps}

    @cached_property
    def order(self) -> tuple[Step, ...]:
        """The steps, each after those it depends on, otherwise as listed. Raises FlowError for a cycle."""
        waiting = {step.name: len({wire.step for wire in step.wires.values()}) for step in self.steps}
        readers: dict[str, list[str]] = {step.name: [] for step in self.steps}
        for step in self.steps:
            for source in {wire.step for wire in step.wires.values()}:
                readers[source].append(step.name)
        ready = [step.name for step in reversed(self.steps) if not waiting[step.name]]
        done: list[Step] = []
        while ready:
            done.append(self.by_name[ready.pop()])
            for reader in reversed(readers[done[-1].name]):
                waiting[reader] -= 1
                ready += [reader] if not waiting[reader] else []
        if len(done) < len(self.steps):
            raise FlowError([self._cycle_problem({name for name, count in waiting.items() if count})])
        return tuple(done)

    def _cycle_problem(self, stuck: set[str]) -> Problem:
        """Walks upstream from any stuck step until one repeats: that loop is the cycle."""
        path = [next(step.name for step in self.steps if step.name in stuck)]
        while path.count(path[-1]) < 2:
            wires = self.by_name[path[-1]].wires.values()
            path.append(next(wire.step for wire in wires if wire.step in stuck))
        loop = path[path.index(path[-1]) :][::-1]
        step = self.by_name[loop[0]]
        return step.problem(f"its output leads back to itself ({' -> '.join(loop)}); remove one of these wires.")

    def scorers(self, reward: Step) -> Iterator[Step]:
        """The stages that score with ``reward``, through other rewards or not, in their order."""
        for step in self.order:
            if step.node.is_stage and step.wired("reward"):
                upstream = self.upstream([step.wires[port].step for port in step.wired("reward")])
                if reward.name in upstream.by_name:
                    yield step

    def scored_by(self, reward: Step) -> Step | None:
        """The first stage that scores with ``reward``."""
        return next(self.scorers(reward), None)

    def lineage(self, step: Step) -> Iterator[Step]:
        """The step, the one whose model it starts from, and so on back to the one that loads the model."""
        yield step
        while ports := step.wired("model"):
            step = self.by_name[step.wires[ports[0]].step]
            yield step

    def upstream(self, names: Iterable[str]) -> Graph:
        """The part of the graph that the steps called ``names`` need, themselves included."""
        wanted, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name not in wanted:
                wanted.add(name)
                todo += [wire.step for wire in self.by_name[name].wires.values()]
        stages = {name: given for name, given in self.launch.stages.items() if name in wanted}
        steps = tuple(step for step in self.steps if step.name in wanted)
        return replace(self, steps=steps, launch=replace(self.launch, stages=stages))

    @cached_property
    def digest(self) -> str:
        """The sha256 of what the flow means: nodes, values and wires, but not where nodes lie on the canvas."""
        meaning = [
            [s.name, s.node.__name__, s.meaning, {port: [w.step, w.port] for port, w in s.wires.items()}]
            for s in self.steps
        ]
        text = json.dumps([self.title, meaning], sort_keys=True, default=repr)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
