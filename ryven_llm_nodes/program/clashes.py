"""Names that the user's code shares with the rest of a script, where one would change the meaning of the other.

Everything is read from the script itself: what each step's part of it binds and uses, and what the rest does.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.scopes import Scope, scope_of
from ryven_llm_nodes.errors import Problem
from ryven_llm_nodes.program.graph import Graph, Step
from ryven_llm_nodes.program.names import names_of
from ryven_llm_nodes.program.script import Script

BUILTINS: Final = frozenset(dir(builtins))
OF_MODULES: Final = frozenset(
    {"__name__", "__file__", "__doc__", "__builtins__", "__spec__", "__package__", "__dict__"}
)
"""Names that every module has."""


@dataclass(frozen=True)
class _Part:
    """A part of the script, its name in messages, and names in addition to those of its scope.

    The script keeps the values of the steps in ``main``; a run has them among its globals.
    """

    label: str
    scope: Scope
    values: frozenset[str] = frozenset()

    def minds(self, name: str, other: Scope, is_offered: bool) -> bool:
        """Whether this part is affected by ``other`` binding ``name``."""
        if name in self.scope.assigned or name in self.values:
            return True
        mine = self.scope.origins(name)
        same = mine == other.origins(name) if name in other.borrowed else is_offered and not mine
        return name in self.scope.used and not same


def clashes(graph: Graph, cells: Mapping[str, Cell], script: Script) -> Iterator[Problem]:
    """Every name that a step's own code binds although another part of ``script`` uses it with another meaning.

    Also names that its code uses and no part binds: a run may happen to have them, the script does not.
    """
    steps = [step for step in graph.order if step.node.holds_code and step.name in script.definitions]
    if not steps:
        return
    rest = _rest(graph, script, steps)
    parts = {step.name: _Part(step.label, scope_of(_code(script, step))) for step in steps}
    for step in steps:
        before = [parts[other.name] for other in steps[: steps.index(step)]]
        yield from _shared(step, parts[step.name].scope, _offered(cells[step.name]), [*rest, *before])
        yield from _missing(step, script, [*rest, *parts.values()])


def _rest(graph: Graph, script: Script, steps: list[Step]) -> list[_Part]:
    """The script without the users' code, and the values that it names after steps."""
    lines = script.text.split("\n")
    for first, last in (script.definitions[step.name] for step in steps):
        lines[first - 1 : last] = [""] * (last - first + 1)
    scope = scope_of(_without_annotations("\n".join(lines)))
    values = scope.locals.get("main", frozenset())
    known = values | scope.assigned
    called = ((step, known & set(names_of(step.name))) for step in graph.order)
    named = [_Part(step.label, _NOTHING, names) for step, names in called if names]
    return [*named, _Part("the script itself", scope, values)]


def _without_annotations(text: str) -> str:
    """Nothing depends on the meaning of our annotations, so ``from typing import Callable`` is harmless."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.unparse(tree)


_NOTHING: Final = Scope(frozenset(), frozenset(), frozenset(), {})


def _code(script: Script, step: Step) -> str:
    first, last = script.definitions[step.name]
    return "\n".join(script.text.split("\n")[first - 1 : last])


def _offered(cell: Cell) -> frozenset[str]:
    """The names that the rest of the script takes from the user's code on purpose: those of reward functions."""
    return frozenset(name for value in cell.values.values() for name in value.taken_names) - BUILTINS


def _shared(step: Step, own: Scope, offered: frozenset[str], others: list[_Part]) -> Iterator[Problem]:
    for name in sorted(own.bound):
        part = next((part for part in others if part.minds(name, own, name in offered)), None)
        if part is None:
            continue
        if name in own.assigned:
            yield step.problem(f"defines {name!r}, a name that {part.label} uses too; rename it.", "code")
        else:
            remedy = f"import it under another name (`as my_{name}`)"
            yield step.problem(f"imports {name!r}, a name that {part.label} uses for something else; {remedy}.", "code")


def _missing(step: Step, script: Script, parts: list[_Part]) -> Iterator[Problem]:
    code = _code(script, step)
    there = BUILTINS | OF_MODULES | {name for part in parts for name in part.scope.bound}
    for name in sorted(scope_of(code).used - there):
        line = _first_line(code, name)
        yield step.problem(f"line {line}: uses {name!r}, which nothing defines; import or define it.", "code")


def _first_line(code: str, name: str) -> int:
    """The line of the user's code that mentions ``name``; the first line of the part is a heading."""
    lines = code.split("\n")
    return next((i for i, line in enumerate(lines) if i and re.search(rf"\b{re.escape(name)}\b", line)), 1)
