"""Tools: Python functions that the model may call while it writes a completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.beside import modules_of, shadowed
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import text
from ryven_llm_nodes.catalogue.tool_code import read_tools, tool_complaints
from ryven_llm_nodes.catalogue.usercode import CodeError
from ryven_llm_nodes.catalogue.values import CodeValue

CALCULATOR: Final = '''def calculate(operation: str, a: float, b: float) -> float:
    """Calculates with two numbers.

    Args:
        operation: One of add, subtract, multiply, divide.
        a: The first number.
        b: The second number.
    """
    return {"add": a + b, "subtract": a - b, "multiply": a * b, "divide": a / b if b else 0.0}[operation]
'''


class Tools(LLMNode):
    """Python functions that the model may call while it writes a completion; every public one is a tool.

    The model is told the name of each, its docstring, and its arguments with their types, so these are required. What
    a function returns, or the text of its error, is the next message. The chat template must know tools.
    """

    title = "Tools"
    stem = "tools"
    position = 1
    icon, accent = "code", "tools"
    tags = ["tool", "tools", "function", "call", "agent", "python", "code"]
    holds_code = True
    out_ports = (Port("tools", "tools"),)
    parameters = (
        text("code", CALCULATOR, "Python that defines the functions, with its imports and helpers.", widget="code"),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        code = read_tools(context["code"])
        value = CodeValue(expression=f"[{', '.join(code.offers)}]", functions=frozenset(code.offers))
        modules = tuple(modules_of(code.text, context.root))
        return Cell(
            definition=code.text, values={"tools": value}, modules=modules, defines=code.names, borrows=code.imported
        )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        try:
            code = read_tools(context["code"])
        except CodeError as error:
            yield "code", str(error)
            return
        yield from (("code", wrong) for wrong in tool_complaints(code))
        yield from (("code", wrong) for wrong in shadowed(code.text, context.root))
