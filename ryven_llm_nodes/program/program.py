"""A flow that can run: its steps in order, with the cell of each, and the script that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.values import RewardPart, Value
from ryven_llm_nodes.program.graph import Graph, Step
from ryven_llm_nodes.program.script import Script, write_script


@dataclass(frozen=True)
class Program:
    """A graph without problems, with the cell of every step, in the order in which they run."""

    graph: Graph
    cells: Mapping[str, Cell]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in the order in which they run."""
        return self.graph.order

    @cached_property
    def later(self) -> frozenset[str]:
        """The steps that leave something, and those that need what another leaves; all others only make values."""
        found: set[str] = set()
        for step in self.steps:
            if step.node.leaves or any(wire.step in found for wire in step.wires.values()):
                found.add(step.name)
        return frozenset(found)

    def value(self, step: Step, port: str) -> Value:
        """What comes in at an input that is wired."""
        wire = step.wires[port]
        return self.cells[wire.step].values[wire.port]

    def rewards(self, step: Step) -> tuple[RewardPart, ...]:
        """The reward callables that ``step`` scores completions with."""
        values = (self.value(step, port) for port in step.wired("reward"))
        return tuple(part for value in values for part in value.parts)  # type: ignore[attr-defined]

    def context(self, step: Step) -> NodeContext:
        """What the node of ``step`` knows, with a value for each input that is wired."""
        inputs = {port: self.value(step, port) for port in step.wires}
        return self.graph.context(step, inputs)

    @cached_property
    def script(self) -> Script:
        """The script as it would be saved next to the flow file."""
        return self.script_for(self.graph.root)

    def script_for(self, folder: Path, lean: bool = False) -> Script:
        """The script as written into ``folder``: relative paths still resolve to files next to the flow file.

        ``lean`` leaves out crash safety and resuming.
        """
        return write_script(self.graph, self.cells, folder, lean)
