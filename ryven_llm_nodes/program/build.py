"""Checks a graph and makes the program from it: every step's cell, and the full script text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.catalogue.values import Value
from ryven_llm_nodes.errors import FlowError, Problem, shown
from ryven_llm_nodes.program.clashes import clashes
from ryven_llm_nodes.program.graph import Graph, Step
from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.program.program import Program
from ryven_llm_nodes.program.script import write_script
from ryven_llm_nodes.program.sweeping.declared import sweep_problems


def build(graph: Graph) -> Program:
    """The program of ``graph``. Raises FlowError with all problems; loads nothing heavy."""
    builder = _Builder(graph)
    builder.visit_all()
    problems = [*builder.problems, *_clashes(builder.graph, builder.cells), *_overwritten(graph)]
    if not graph.steps:
        problems.append(Problem("the flow is empty; add a Load Model node and a trainer.", graph.source))
    if problems:
        raise FlowError(problems)
    program = Program(graph, builder.cells)
    if wrong := list(sweep_problems(program)):
        raise FlowError(wrong)
    program.script  # noqa: B018  # compiles the text, so that no text is ever shown that does not compile
    return program


class _Builder:
    """Visits the steps in order, passing values along the wires and collecting problems."""

    def __init__(self, graph: Graph) -> None:
        stages = (step.name for step in graph.steps if step.node.is_stage)
        wrong = list(graph.launch.problems(stages))
        self.graph = replace(graph, launch=Launch()) if wrong else graph
        self.problems = [Problem(text, "launch", name) for name, text in wrong]
        self.cells: dict[str, Cell] = {}

    def visit_all(self) -> None:
        try:
            order = self.graph.order
        except FlowError as error:
            self.problems += error.problems
            order = self.graph.steps  # report a cycle together with the other problems
        for step in order:
            self._visit(step)

    def _visit(self, step: Step) -> None:
        if reason := step.node.unavailable():
            self.problems.append(step.problem(reason))
            return
        own = list(self._value_problems(step)) + list(self._wire_problems(step))
        inputs = dict(self._inputs(step))
        bad = {problem.parameter for problem in own}
        if not bad & set(step.node.all_parameters()):
            context = self.graph.context(step, inputs)
            own += [step.found(one if isinstance(one, Finding) else Finding(*one)) for one in step.node.drawn(context)]
            if not own and len(inputs) == len(step.wires):
                self.cells[step.name] = step.node.cell(context)
        self.problems += own

    def _value_problems(self, step: Step) -> Iterator[Problem]:
        for parameter, message in step.node.parameter_complaints(step.given):
            yield step.problem(message, parameter)

    def _wire_problems(self, step: Step) -> Iterator[Problem]:
        for port in step.node.in_ports:
            if not port.optional and port.name not in step.wires:
                yield step.problem(f"this input is not connected; connect a {port.kind} to it.", port.label)

    def _inputs(self, step: Step) -> Iterator[tuple[str, Value]]:
        """The values of the wired inputs, as far as the steps they come from have no problems themselves."""
        for port, wire in step.wires.items():
            if wire.step in self.cells:
                yield port, self.cells[wire.step].values[wire.port]


def _clashes(graph: Graph, cells: Mapping[str, Cell]) -> Iterator[Problem]:
    """Clashes of names among the steps that have a cell, which those they are wired to have as well."""
    part = replace(graph, steps=tuple(step for step in graph.steps if step.name in cells))
    if any(step.node.holds_code for step in part.steps):
        yield from clashes(part, cells, write_script(part, cells, graph.root))


def _overwritten(graph: Graph) -> Iterator[Problem]:
    """Models that would overwrite each other."""
    owners = {step.name: step.label for step in graph.steps if step.node.is_stage}
    for step in graph.steps:
        parameter = step.node.writes if step.node.leaves == "model" else ""
        folder = step.setting(parameter) if parameter else None
        if isinstance(folder, str):
            place = os.path.normpath(folder)
            if place in owners:
                yield step.problem(f"{owners[place]} writes to {shown(folder)} too; choose another folder.", parameter)
            owners.setdefault(place, step.label)
