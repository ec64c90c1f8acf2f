"""What a configuration says, as the values of nodes, and the flow that is drawn from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue import (
    ChatTemplate,
    CombineRewards,
    ExportScript,
    LLMNode,
    LoadDataset,
    LoadModel,
    LoRA,
    Mix,
    SaveModel,
    Split,
)
from ryven_llm_nodes.catalogue.parameters import JSON, UNKNOWN
from ryven_llm_nodes.program.layout import laid_out
from ryven_llm_nodes.program.names import Names, identifier
from ryven_llm_nodes.program.project import Placement, as_project, graph_of_project, project

Made = tuple[type[LLMNode], Mapping[str, JSON]]
"""A node and its values."""
SLOTS: Final = 4
"""Inputs of Mix and of Combine Rewards."""


@dataclass
class Plan:
    """A training as a configuration describes it: the values of its nodes.

    ``rows`` are chains of nodes of data, each from one that loads rows; ``held_out`` is one for the evaluation, or the
    values of a Split. ``adapter`` is None for training all weights, ``saved`` where no model is saved.
    """

    title: str
    method: type[LLMNode]
    model: dict[str, JSON] = field(default_factory=dict)
    template: dict[str, JSON] | None = None
    settings: dict[str, JSON] = field(default_factory=dict)
    rows: list[list[Made]] = field(default_factory=list)
    held_out: list[Made] | dict[str, JSON] | None = None
    adapter: dict[str, JSON] | None = None
    rewards: list[Made] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    saved: dict[str, JSON] | None = field(default_factory=dict)

    @property
    def takes_rewards(self) -> bool:
        """Whether the method scores completions."""
        return any(port.kind == "reward" for port in self.method.in_ports)

    def settle_evaluation(self) -> None:
        """Without rows to evaluate on, nothing is evaluated."""
        if not self.evaluates:
            for name in ("eval_strategy", "eval_steps"):
                self.settings.pop(name, None)

    @property
    def evaluates(self) -> bool:
        """Whether there are rows to evaluate on."""
        return self.held_out is not None

    def drawn(self) -> dict[str, Any]:
        """The project."""
        drawing = Drawing()
        model = drawing.add(LoadModel, self.model, "base")
        if self.template is not None:
            model = drawing.chain(model, [(ChatTemplate, self.template)])
        ends = {"model": model, "dataset": self._joined(drawing)}
        ends |= self._held_out(drawing, ends)
        if self.adapter is not None:
            ends["adapter"] = drawing.add(LoRA, self.adapter)
        if self.rewards:
            ends["reward"] = _sum(drawing, self.rewards, self.weights)
        trained = drawing.add(self.method, self.settings)
        for port, end in ends.items():
            drawing.wire(end, f"{trained}.{port}")
        self._outputs(drawing, trained)
        return drawing.project(self.title)

    def _joined(self, drawing: Drawing) -> str:
        ends = [drawing.chain("", chain) for chain in self.rows or [[(LoadDataset, {})]]]
        return drawing.concatenated(ends)

    def _held_out(self, drawing: Drawing, ends: Mapping[str, str]) -> dict[str, str]:
        """The end for the evaluation and, where that is a part of the rows, the other part."""
        if isinstance(self.held_out, dict):
            split = drawing.add(Split, self.held_out)
            drawing.wire(ends["dataset"], f"{split}.dataset")
            return {"dataset": f"{split}.train", "eval_dataset": f"{split}.test"}
        return {"eval_dataset": drawing.chain("", self.held_out)} if self.held_out else {}

    def _outputs(self, drawing: Drawing, trained: str) -> None:
        if any(port.kind == "model" for port in self.method.out_ports) and self.saved is not None:
            kinds: list[Made] = [(SaveModel, self.saved), (ExportScript, {})]
            for kind, params in kinds:
                drawing.wire(trained, f"{drawing.add(kind, params)}.model")


class Drawing:
    """Nodes and wires of a flow that is being drawn."""

    def __init__(self) -> None:
        self._names = Names()
        self._nodes: dict[str, Placement] = {}
        self._wires: list[str] = []

    def add(self, kind: type[LLMNode], params: Mapping[str, JSON], name: str = "") -> str:
        """A new node; returns the name that it gets."""
        name = self._names.claim(name or identifier(kind.own_name(params), kind.stem))
        self._nodes[name] = Placement(name, kind, params, len(self._nodes))
        return name

    def wire(self, source: str, target: str) -> None:
        """A wire out of ``NODE`` (its first output) or ``NODE.PORT`` into ``NODE.PORT``."""
        name, _, port = source.partition(".")
        self._wires.append(f"{name}.{port or self._nodes[name].node.out_ports[0].name} -> {target}")

    def chain(self, source: str, kinds: Iterable[Made]) -> str:
        """Nodes one after the other, behind ``source`` where that is one; returns the name of the last."""
        for kind, params in kinds:
            name = self.add(kind, params)
            if source:
                self.wire(source, f"{name}.{kind.in_ports[0].name}")
            source = name
        return source

    def concatenated(self, ends: Sequence[str]) -> str:
        """One end for the rows of several, all in order."""
        return _gathered(self, ends, Mix, "dataset", {"mode": "concatenate"})

    def project(self, title: str) -> dict[str, Any]:
        """The project: the nodes in columns, by what they need."""
        drawn = project(title, self._nodes.values(), self._wires)
        return as_project(laid_out(graph_of_project(drawn, Path())))


def _gathered(drawing: Drawing, ends: Sequence[str], kind: type[LLMNode], port: str, params: Mapping[str, JSON]) -> str:
    """One end for several: nodes of ``kind``, whose inputs are ``port``_1 to ``port``_4."""
    while len(ends) > 1:
        groups = [ends[first : first + SLOTS] for first in range(0, len(ends), SLOTS)]
        ends = [_joined(drawing, group, kind, port, params) for group in groups]
    return ends[0]


def _joined(drawing: Drawing, ends: Sequence[str], kind: type[LLMNode], port: str, params: Mapping[str, JSON]) -> str:
    if len(ends) == 1:
        return ends[0]
    name = drawing.add(kind, params)
    for slot, end in enumerate(ends, 1):
        drawing.wire(end, f"{name}.{port}_{slot}")
    return name


def _sum(drawing: Drawing, rewards: Sequence[Made], weights: Sequence[float]) -> str:
    """The weighted sum of ``rewards``; ``weights`` are empty, or one for each."""
    names = [drawing.add(kind, params) for kind, params in rewards]
    if not weights or all(weight == 1 for weight in weights):
        return _gathered(drawing, names, CombineRewards, "reward", {})
    ends = []
    for first in range(0, len(names), SLOTS):
        given = {f"weight_{slot}": weight for slot, weight in enumerate(weights[first : first + SLOTS], 1)}
        ends.append(drawing.add(CombineRewards, given))
        for slot, name in enumerate(names[first : first + SLOTS], 1):
            drawing.wire(name, f"{ends[-1]}.reward_{slot}")
    return _gathered(drawing, ends, CombineRewards, "reward", {})


def with_library_defaults(method: Any, given: Mapping[str, JSON]) -> dict[str, JSON]:
    """``given``, and for what is not set the defaults of the library, where a node has its own.

    What the library does not have, such as a threshold of rewards, is off.
    """
    fields, values = method.config.fields, dict(given)
    for own in method.parameters:
        if own.name in values:
            continue
        if own.name in fields:
            default = fields[own.name].default
            if default is not UNKNOWN and default != own.default:
                values[own.name] = default
        elif own.default is not None and type(None) in own.types:
            values[own.name] = None
    return values
