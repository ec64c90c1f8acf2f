"""Shows the nodes and their parameters: one page per node, all parameters, or one parameter in full."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.catalogue.described import BOUNDS, node_data, parameter_data
from ryven_llm_nodes.catalogue.node import Port
from ryven_llm_nodes.catalogue.parameters import TYPE_NAMES, UNKNOWN, Parameter
from ryven_llm_nodes.errors import UsageError, suggestion

COMPUTED: Final = "(computed)"
LONGEST_DEFAULT: Final = 22
MARGIN: Final = "    "


def show_nodes(console: Console, name: str | None, everything: bool, as_json: bool) -> None:
    """All nodes, or the one called ``name``, or its parameter ``name.parameter``. Raises UsageError for others."""
    if name is None:
        console.print_json(json.dumps([node_data(node) for node in ALL_NODES])) if as_json else _overview(console)
        return
    title, _, parameter = name.replace(" ", "").partition(".")
    node = _chosen(title, {known.__name__.lower(): known for known in ALL_NODES}, "node")
    if parameter:
        found = _chosen(parameter, node.all_parameters(), f"parameter of {node.title}", node._unknown(parameter))
        console.print_json(json.dumps(parameter_data(found))) if as_json else _in_full(console, node, found)
    elif as_json:
        console.print_json(
            json.dumps(node_data(node) | {"parameters": [*map(parameter_data, node.all_parameters().values())]})
        )
    else:
        _page(console, node, everything)


def _chosen(name: str, known: Mapping[str, Any], what: str, why: str = "") -> Any:
    if name in known or (name := name.lower()) in known:
        return known[name]
    raise UsageError(why or f"there is no {what} {name!r}.{suggestion(name, list(known))}")


def _overview(console: Console) -> None:
    table = Table("node", "inputs", "outputs", "what it does", box=None, pad_edge=False)
    for node in ALL_NODES:
        table.add_row(node.__name__, _ports(node.in_ports), _ports(node.out_ports), node.summary())
    console.print(table)


def _ports(ports: Iterable[Port]) -> str:
    return ", ".join(f"({port.label})" if port.optional else port.label for port in ports)


# One node


def _page(console: Console, node: type[LLMNode], everything: bool) -> None:
    """The essential parameters with their help, or one line for every parameter."""
    console.print(Text(f"{node.title}: {node.summary()}\n"))
    for what, ports in (("inputs", node.in_ports), ("outputs", node.out_ports)):
        console.print(Text(f"{what:8}{_ports(ports) or 'none'}"))
    parameters = list((node.all_parameters() if everything else {p.name: p for p in node.parameters}).values())
    width = max((len(parameter.name) for parameter in parameters), default=0)
    console.print()
    for parameter in parameters:
        lines = _line(parameter, width, console.width) if everything else _entry(parameter, width, console.width)
        console.print(Text("\n".join(lines)), soft_wrap=True)
    if (further := len(node.all_parameters()) - len(parameters)) > 0:
        short = node.__name__.lower()
        more = (
            f"{further} more parameters: `ryven-llm nodes {short} --all`; one in full: `ryven-llm nodes {short}.seed`"
        )
        console.print(Text("\n" + "\n".join(wrap(more, console.width))))


def _entry(parameter: Parameter, width: int, columns: int) -> Iterator[str]:
    usual = f"usually {parameter.typical}" if parameter.typical else ""
    yield f"{parameter.name:{width}}  {default(parameter):8}  {usual}".rstrip()
    yield from wrap(parameter.help, columns, initial_indent=MARGIN, subsequent_indent=MARGIN)


def _line(parameter: Parameter, width: int, columns: int) -> Iterator[str]:
    setting = f"{parameter.name} = {default(parameter)}"
    line = f"{setting:{min(width, columns // 2)}}  {parameter.help.split('. ')[0]}"
    yield line if len(line) <= columns else line[: columns - 3].rstrip() + "..."


def default(parameter: Parameter) -> str:
    """The default in one or two words."""
    if parameter.default is UNKNOWN:
        return COMPUTED
    text = repr(parameter.default).split("\\n")[0]
    return text if len(text) <= LONGEST_DEFAULT else text[: LONGEST_DEFAULT - 3] + "..."


# One parameter


def _in_full(console: Console, node: type[LLMNode], parameter: Parameter) -> None:
    console.print(Text(f"{node.title} > {parameter.name}\n"))
    for title, text in (fact for fact in _facts(parameter) if fact[1]):
        lines = wrap(text, max(console.width - 10, 20))
        console.print(Text("\n".join(f"{title if i == 0 else '':10}{line}" for i, line in enumerate(lines))))


def _facts(parameter: Parameter) -> Iterator[tuple[str, str]]:
    yield "type", " or ".join(TYPE_NAMES.get(kind, kind.__name__) for kind in parameter.types)
    yield "default", COMPUTED if parameter.default is UNKNOWN else repr(parameter.default)
    bounds = [f"{words} {bound}" for rule, words in BOUNDS if (bound := getattr(parameter, rule)) is not None]
    facts = (("range", ", ".join(bounds)), ("choices", ", ".join(map(repr, parameter.choices))))
    facts += (("templates", ", ".join(parameter.gallery)),)
    facts += tuple(("", f"{choice}: {meaning}") for choice, meaning in parameter.meanings.items())
    yield from (
        (title, text) for title, text in (*facts, ("usually", parameter.typical), ("help", parameter.help)) if text
    )
