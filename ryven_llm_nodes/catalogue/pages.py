"""The page of a node as Markdown, made from its declarations: for the editor, and for the documentation as a site."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ryven_llm_nodes.catalogue.described import BOUNDS
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import TYPE_NAMES, UNKNOWN, Parameter

PAPER: Final = re.compile(r"arXiv (\d{4}\.\d{4,5})")
LITERAL: Final = re.compile(r"``([^`]+)``")
LONGEST: Final = 60


def page_of(node: type[LLMNode], example: str = "") -> str:
    """The page of ``node``; ``example`` is what a flow with it looks like as Python."""
    parts = [f"# {node.title}", _about(node), *_ports(node), *_formats(node), *_parameters(node)]
    if example:
        parts += ["## Example", "What it contributes to a script:", f"```python\n{example}\n```"]
    parts += _papers(node)
    return "\n\n".join(part for part in parts if part) + "\n"


def file_of(node: type[LLMNode]) -> str:
    """The name of the page of ``node``, without an ending: that of its module."""
    return node.__module__.rpartition(".")[2]


def _about(node: type[LLMNode]) -> str:
    """The docstring, with its paragraphs and its literals as Markdown has them."""
    text = (node.__doc__ or "").strip()
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n\n".join(_plain(LITERAL.sub(r"`\1`", part)) for part in paragraphs)


def _plain(text: str) -> str:
    return PAPER.sub(lambda found: f"[{found[0]}](https://arxiv.org/abs/{found[1]})", text)


def _ports(node: type[LLMNode]) -> Iterator[str]:
    for title, ports in (("Inputs", node.in_ports), ("Outputs", node.out_ports)):
        if ports:
            yield f"## {title}"
            yield _table(("name", "kind", "what it is"), (_port(port) for port in ports))


def _port(port: Port) -> tuple[str, ...]:
    return port.label, f"{port.kind}{', optional' if port.optional else ''}", port.help


def _formats(node: type[LLMNode]) -> Iterator[str]:
    """The columns that it needs, where it trains."""
    defaults = NodeContext(node, node.stem, {}, {}, Path())
    groups = node.needs(defaults)
    if groups:
        yield "## Columns of the dataset"
        yield "\n".join(f"* {' + '.join(f'`{name}`' for name in group)}" for group in groups)


def _parameters(node: type[LLMNode]) -> Iterator[str]:
    known = node.all_parameters()
    essential = {parameter.name: parameter for parameter in node.parameters}
    essential |= {name: known[name] for name in node.frequent if name in known}
    if essential:
        yield "## Parameters"
        yield _parameter_table(essential)
    further = {name: parameter for name, parameter in known.items() if name not in essential}
    if further:
        yield "## All other parameters"
        yield _parameter_table(further)


def _parameter_table(parameters: Mapping[str, Parameter]) -> str:
    rows = ((f"`{one.name}`", _default(one), _accepted(one), one.help) for one in parameters.values())
    return _table(("name", "default", "values", "what it does"), rows)


def _default(parameter: Parameter) -> str:
    if parameter.default is UNKNOWN:
        return "computed"
    text = repr(parameter.default)
    return f"`{text}`" if len(text) <= LONGEST and "\n" not in text else "see the form"


def _accepted(parameter: Parameter) -> str:
    """Types, range, choices and what is typical, in words."""
    types = " or ".join(TYPE_NAMES.get(kind, kind.__name__) for kind in parameter.types)
    bounds = [f"{words} {bound}" for rule, words in BOUNDS if _is_telling(bound := getattr(parameter, rule))]
    choices = ", ".join(f"`{choice}`" if choice != "" else "empty" for choice in parameter.choices)
    typical = f"typical: {parameter.typical}" if parameter.typical else ""
    return "; ".join(part for part in (choices or types, ", ".join(bounds), typical) if part)


def _is_telling(bound: float | None) -> bool:
    """Whether a bound says something: the largest are there so that a typo does not exhaust the memory."""
    return bound is not None and abs(bound) < 1e5


def _papers(node: type[LLMNode]) -> list[str]:
    found = list(dict.fromkeys(PAPER.findall(node.__doc__ or "")))
    links = "\n".join(f"* [arXiv {number}](https://arxiv.org/abs/{number})" for number in found)
    return ["## Papers", links] if found else []


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (tuple(header), *rows)]
    rule = ["---"] * len(lines[0])
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
