"""Generate Rows: a dataset that plain Python makes, without any file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.beside import modules_of, shadowed
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import text
from ryven_llm_nodes.catalogue.usercode import CodeError, UserCode, read_code
from ryven_llm_nodes.catalogue.values import DatasetValue

SUMS: Final = '''import random


def sums():
    """Sums of two numbers, with their results; the same ones each time."""
    rng = random.Random(0)
    for _ in range(200):
        a, b = rng.randint(1, 20), rng.randint(1, 20)
        yield {"prompt": f"What is {a} + {b}?", "answer": str(a + b)}
'''


class GenerateRows(LLMNode):
    """Rows that your own Python function makes: it takes nothing, and returns or yields a dictionary for each row.

    Each run and the script make them, so draw with ``random.Random(0)``, which gives the same each time.
    """

    title = "Generate Rows"
    position = 8
    stem = "generated"
    icon = "braces"
    accent = "dataset"
    tags = ["dataset", "generate", "rows", "python", "code", "synthetic", "arithmetic", "verifiable", "make"]
    holds_code = True
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        text("code", SUMS, "Python that defines the function, with its imports and helpers.", widget="code"),
        text("function", "", "Name of the function to use; empty: the last one that the code defines."),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        code = _code(context)
        value = DatasetValue(expression=context.name, functions=frozenset({code.function.name}))
        return Cell(
            ("from datasets import Dataset",),
            definition=code.text,
            statement=f"{context.name} = Dataset.from_list(list({code.function.name}()))",
            values={"dataset": value},
            modules=tuple(modules_of(code.text, context.root)),
            defines=code.names,
            borrows=code.imported,
        )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        place = "code"
        try:
            read_code(context["code"])
            place = "function"
            code = _code(context)
        except CodeError as error:
            yield place, str(error)
            return
        arguments = code.function.args
        required = len([*arguments.posonlyargs, *arguments.args]) - len(arguments.defaults)
        if code.is_async or required or None in arguments.kw_defaults:
            yield "code", f"{code.function.name}() must be a plain function without arguments."
        yield from (("code", wrong) for wrong in shadowed(code.text, context.root))


def _code(context: NodeContext) -> UserCode:
    """The user's function, under a name that no other node has."""
    return read_code(context["code"], context["function"]).named(f"{context.name}_rows")
