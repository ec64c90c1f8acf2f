"""What a node contributes to a program: a cell of Python text, and the values that its outputs stand for."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.values import Value

WIDTH = 100
INDENT = "    "
RUNTIME = "ryven_llm_nodes.runtime"
PIPELINE = f"from {RUNTIME}.pipeline import Pipeline"
"""The import of what runs the stages of a script."""


@dataclass(frozen=True)
class Cell:
    """The text of one node.

    ``imports`` are import statements; those from this package (``ryven_llm_nodes.runtime``, or the file of the node
    itself) are replaced by the source.
    ``definition`` stands at module level, ``statement`` in ``main()``. ``values`` are what the outputs stand for.
    ``config`` names the function that makes a trainer's configuration, so that it can be tried before it is needed,
    and ``config_class`` what that returns; ``trainer_class`` is the class that is called with it.
    ``modules`` are those next to the flow file that the user's code imports.
    ``defines`` and ``borrows`` are the names that the user's code defines and imports at module level, in the same
    namespace as the rest of the script.
    """

    imports: tuple[str, ...] = ()
    definition: str = ""
    statement: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    config: str = ""
    config_class: str = ""
    trainer_class: str = ""
    modules: tuple[str, ...] = ()
    defines: frozenset[str] = frozenset()
    borrows: frozenset[str] = frozenset()


def report_cell(name: str, make: Callable[..., object], **inputs: str) -> Cell:
    """The cell of a stage that leaves a report: what the function ``make`` returns, as JSON.

    ``make`` is defined in the file of the node, and its source goes into the script with all that it uses there;
    it imports torch and other libraries inside. ``inputs`` are its arguments, as Python text.
    """
    return report_cell_of(name, make.__module__, make.__name__, **inputs)


def report_cell_of(name: str, module: str, make: str, **inputs: str) -> Cell:
    """The same for the function ``make`` of ``module``, which cannot be imported here: one of the runtime."""
    made = call("make_report", "pipeline", literal(name), make, **inputs)
    imports = (PIPELINE, f"from {RUNTIME}.reports import make_report", f"from {module} import {make}")
    return Cell(imports, statement=f"{name} = {made}")


def literal(value: JSON) -> str:
    """``value`` as a Python literal that evaluates to it again. Raises ValueError where there is none."""
    text = _literal(value)
    if ast.literal_eval(text) != value:
        raise ValueError(f"{text} is not a literal")
    return text


def _literal(value: JSON) -> str:
    if isinstance(value, list):
        return layout("[", map(_literal, value), "]")
    if isinstance(value, dict):
        return layout("{", (f"{_literal(key)}: {_literal(item)}" for key, item in value.items()), "}")
    text = repr(value)
    if isinstance(value, float):
        return re.sub(r"e([+-]?)0+(?=\d)", r"e\1", text)  # 5e-5, as people write it
    return f'"{text[1:-1]}"' if text[:1] == "'" and '"' not in text and "\\'" not in text else text


def call(function: str, *positional: str, **named: str) -> str:
    """The expression ``function(positional..., name=expression...)``, one argument per line if it is long."""
    arguments = [*positional, *(f"{name}={text}" for name, text in named.items())]
    return layout(f"{function}(", arguments, ")")


def layout(opening: str, items: Iterable[str], closing: str, width: int = WIDTH - 8) -> str:
    """``opening item, item closing`` on one line if it fits, else one item per line with a trailing comma."""
    items = list(items)
    line = f"{opening}{', '.join(items)}{closing}"
    if len(line) <= width and "\n" not in line:
        return line
    return f"{opening}\n" + "".join(indent(item) + ",\n" for item in items) + closing


def indent(text: str, levels: int = 1) -> str:
    """``text`` with every non-blank line indented. Not for text with multi-line strings."""
    return "\n".join(INDENT * levels + line if line.strip() else line for line in text.split("\n"))
