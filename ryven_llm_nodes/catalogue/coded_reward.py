"""The base of rewards whose function is written from parameters, and stands in the script as plain code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from ryven_llm_nodes.catalogue.cell import RUNTIME, WIDTH, Cell, indent
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import whole
from ryven_llm_nodes.catalogue.values import RewardPart, RewardValue

TIME_LIMIT: Final = whole(
    "time_limit",
    600,
    "Seconds that one call may take; a run stops the stage beyond that. The script has no limit.",
    at_least=1,
    typical="10 to 600",
    outcome=False,
)
ANSWER_OF: Final = f"from {RUNTIME}.scoring import answer_of"
"""The import of what gives the text of a completion."""


class CodedReward(LLMNode):
    """Base of the rewards that are written from parameters: :meth:`function` gives their text."""

    icon, accent = "reward", "reward"
    out_ports = (Port("reward", "reward"),)
    imports: ClassVar[tuple[str, ...]] = (ANSWER_OF,)

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        name, columns = context.name, tuple(cls.columns(context))
        part = RewardPart(expression=name, symbol=name, owner=name, columns=columns)
        values = {"reward": RewardValue(parts=(part,))}
        return Cell(cls.imports, definition=cls.function(context), values=values)

    @classmethod
    def function(cls, context: NodeContext) -> str:
        """The definition of the function, which is called after the node."""
        raise NotImplementedError

    @classmethod
    def columns(cls, context: NodeContext) -> Iterator[str]:
        """The columns of the dataset that it reads."""
        yield from ()


def defined(name: str, arguments: str, about: str, body: str) -> str:
    """The definition of a reward function with TRL's signature."""
    return f'def {name}({arguments}, **kwargs):\n    """{about}"""\n{indent(body)}'


def per_completion(score: str) -> str:
    """The body of a function that gives the expression ``score`` of each ``text``."""
    return f"texts = [answer_of(completion) for completion in completions]\n{returned(score, 'for text in texts')}"


def returned(score: str, loop: str) -> str:
    """The statement that returns a list of such scores."""
    line = f"return [{score} {loop}]"
    return line if len(line) <= WIDTH - 8 else f"return [\n{indent(score)}\n{indent(loop)}\n]"
