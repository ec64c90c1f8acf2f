"""Environment: a Python class whose methods the model calls, and which keeps a state over a completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.beside import modules_of, shadowed
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import text
from ryven_llm_nodes.catalogue.tool_code import environment_complaints, read_environment
from ryven_llm_nodes.catalogue.usercode import CodeError
from ryven_llm_nodes.catalogue.values import CodeValue

COUNTER: Final = '''class Counter:
    """Counts, and rewards a count of ten."""

    def reset(self, **kwargs) -> str:
        self.count = 0
        return " The counter is at 0."

    def add(self, amount: int) -> str:
        """Adds to the counter.

        Args:
            amount: How much to add.
        """
        self.count += amount
        return f"The counter is at {self.count}."

    def get_reward(self) -> float:
        return 1.0 - min(abs(self.count - 10), 10) / 10
'''


class Environment(LLMNode):
    """A Python class with a state, whose public methods the model calls as tools; each completion has an object of it.

    ``reset(self, **kwargs)`` gets the columns of the row, begins an episode, and may return text that is appended to
    the prompt. ``get_reward(self)``, where there is one, gives a reward at the end, which is added to the others;
    rewards also get all objects as ``environments``. Experimental in TRL: it may change there.
    """

    title = "Environment"
    stem = "environment"
    position = 2
    icon, accent = "code", "tools"
    tags = ["environment", "tools", "state", "agent", "episode", "game", "class", "python", "code"]
    holds_code = True
    out_ports = (Port("environment", "environment"),)
    parameters = (
        text("code", COUNTER, "Python that defines the class, with its imports and helpers.", widget="code"),
        text("class_name", "", "Name of the class to use; empty: the last one that the code defines."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        code = read_environment(context["code"], context["class_name"])
        value = CodeValue(expression=code.offers[0], functions=frozenset(code.offers))
        modules = tuple(modules_of(code.text, context.root))
        values = {"environment": value}
        return Cell(definition=code.text, values=values, modules=modules, defines=code.names, borrows=code.imported)

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        place = "code"
        try:
            code = read_environment(context["code"])
            place = "class_name"
            code = read_environment(context["code"], context["class_name"])
        except CodeError as error:
            yield place, str(error)
            return
        yield from (("code", wrong) for wrong in environment_complaints(code))
        yield from (("code", wrong) for wrong in shadowed(code.text, context.root))
