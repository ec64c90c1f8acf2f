"""Nodes and their parameters as plain data, for programs."""

from __future__ import annotations

from typing import Any, Final

from ryven_llm_nodes.catalogue.node import LLMNode
from ryven_llm_nodes.catalogue.parameters import UNKNOWN, Parameter

BOUNDS: Final = (("at_least", "at least"), ("above", "greater than"), ("at_most", "at most"), ("below", "less than"))
"""The rules about numbers, and their words."""


def node_data(node: type[LLMNode]) -> dict[str, Any]:
    """A node as JSON: its ports, and the names of its essential parameters."""
    ports = {
        what: [{"name": port.name, "kind": port.kind, "optional": port.optional, "help": port.help} for port in found]
        for what, found in (("inputs", node.in_ports), ("outputs", node.out_ports))
    }
    essential = [parameter.name for parameter in node.parameters]
    return {"node": node.__name__, "title": node.title, "help": node.summary(), **ports, "essential": essential}


def parameter_data(parameter: Parameter) -> dict[str, Any]:
    """A parameter as JSON; a default that the library computes is left out."""
    given = {} if parameter.default is UNKNOWN else {"default": parameter.default}
    rules = {rule: bound for rule, _ in BOUNDS if (bound := getattr(parameter, rule)) is not None}
    types = ["null" if kind is type(None) else kind.__name__ for kind in parameter.types]
    words = {"choices": list(parameter.choices), "typical": parameter.typical, "help": parameter.help}
    words |= {"gallery": dict(parameter.gallery), "meanings": dict(parameter.meanings)}
    return {"name": parameter.name, "types": types, **given, **rules, **{k: v for k, v in words.items() if v}}
