"""The base of all nodes: typed ports, declared parameters, and a cell of Python made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ryvencore import Node, NodeInputType, NodeOutputType

from ryven_llm_nodes.catalogue.cell import Cell, Value
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.catalogue.secrets import secret_complaint
from ryven_llm_nodes.errors import one_line, shown, suggestion

PACKAGE = "ryven_llm_nodes"


@dataclass(frozen=True)
class Port:
    """A typed connection point. ``kind`` is model, dataset, reward or adapter; only equal kinds can be wired."""

    name: str
    kind: str
    optional: bool = False
    help: str = ""

    @property
    def label(self) -> str:
        """What the editor shows beside the pin."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class NodeContext:
    """What a node knows when it makes its cell: its name, its parameters, and what is wired to its inputs.

    ``given`` holds the values that were set; ``inputs`` a value for every input that is wired; ``root`` is the folder
    that relative paths are looked up in; ``processes`` the number of processes that share a step.
    """

    node: type[LLMNode]
    name: str
    given: Mapping[str, JSON]
    inputs: Mapping[str, Value]
    root: Path
    processes: int = 1

    def __getitem__(self, parameter: str) -> JSON:
        if parameter in self.given:
            return self.given[parameter]
        return self.node.all_parameters()[parameter].default

    @cached_property
    def label(self) -> str:
        """The node as messages name it: ``DPO 'align'``."""
        return f"{self.node.title} {self.name!r}"


Complaint = tuple[str, str]
"""A parameter or port, and what is wrong with it."""


class LLMNode(Node):
    """A node of this package.

    Its parameters are stored in the project as plain JSON (``additional_data``), never as a pickle, and only where
    they were set. All that it *does* is in class methods over a :class:`NodeContext`, so that a flow can be checked
    and exported without a Ryven session.
    """

    version = "v1"
    family: ClassVar[str] = ""
    stem: ClassVar[str] = "node"
    in_ports: ClassVar[tuple[Port, ...]] = ()
    out_ports: ClassVar[tuple[Port, ...]] = ()
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    holds_code: ClassVar[bool] = False
    runner: ClassVar[Callable[..., Any] | None] = None
    """Runs a flow up to a node; set by whoever hosts the nodes (``nodes.py``, the editor, a test)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.init_inputs = [NodeInputType(port.label) for port in cls.in_ports]
        cls.init_outputs = [NodeOutputType(port.label) for port in cls.out_ports]

    @classmethod
    def _build_identifier(cls) -> None:
        # Ryven prefixes the identifier again for every session; this override makes that idempotent.
        cls.identifier = f"{PACKAGE}.{cls.__name__}"

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.name = ""
        self.params: dict[str, JSON] = {}
        self.came_with: dict[str, JSON] = {}
        """The values that the node was loaded or pasted with: somebody else may have set them."""

    # What is stored

    def additional_data(self) -> dict[str, JSON]:
        return {"name": self.name, "params": dict(self.params)}

    def load_additional_data(self, data: Any) -> None:
        self.name, self.params = stored(data)
        self.came_with = dict(self.params)

    # What it does

    def run(self, **options: Any) -> Any:
        """Runs the flow up to this node, as ``ryven-llm run FLOW --to NODE`` does. Never called by Ryven itself."""
        if LLMNode.runner is None:
            raise RuntimeError("no runner is installed: load ryven_llm_nodes.nodes or use ryven_llm_nodes.host")
        return LLMNode.runner(self.flow, to=self, **options)

    def update_event(self, inp: int = -1) -> None:
        """Nothing: Ryven calls this for every wire that is drawn, and drawing trains nothing."""

    @classmethod
    def all_parameters(cls) -> Mapping[str, Parameter]:
        """Every parameter by name, the essential ones first."""
        return {parameter.name: parameter for parameter in cls.parameters}

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the docstring, for a tooltip."""
        return one_line((cls.__doc__ or "").split("\n\n")[0]).replace("``", "")

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        """The text of this node. Called only where :meth:`complaints` has none."""
        raise NotImplementedError

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        """What is wrong beyond types and ranges: missing files, columns, ... Cheap, and offline."""
        yield from ()

    @classmethod
    def parameter_complaints(cls, given: Mapping[str, JSON]) -> Iterator[Complaint]:
        """What is wrong with the values that were set, and the required ones that were not."""
        known = cls.all_parameters()
        for name, value in given.items():
            if wrong := secret_complaint(name, value):
                yield shown(name).strip("'\""), wrong
            elif name not in known:
                yield shown(name).strip("'\""), cls._unknown(name)
            elif wrong := known[name].problem(value):
                yield name, wrong
        for parameter in cls.parameters:
            if parameter.name not in given and (wrong := parameter.problem(parameter.default)):
                yield parameter.name, wrong

    @classmethod
    def _unknown(cls, name: str) -> str:
        return f"{cls.title} has no such parameter.{suggestion(name, list(cls.all_parameters()))}"


def stored(data: Any) -> tuple[str, dict[str, JSON]]:
    """Name and parameters out of a node's ``additional data``, whatever a file holds there.

    Values of a wrong type or range are kept as they are: the check names them, the user mends them.
    """
    data = data if isinstance(data, dict) else {}
    name, params = data.get("name", ""), data.get("params", {})
    params = params if isinstance(params, dict) and all(isinstance(key, str) for key in params) else {}
    return (name if isinstance(name, str) else ""), dict(params)
