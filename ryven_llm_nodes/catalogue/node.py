"""The base of all nodes: typed ports, declared parameters, and a cell of Python made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ryvencore import Node, NodeInputType, NodeOutputType

from ryven_llm_nodes.catalogue.beside import files_of_code
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Pretrained, Seen
from ryven_llm_nodes.catalogue.held import Held
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.catalogue.secrets import secret_complaint
from ryven_llm_nodes.catalogue.serving import Server
from ryven_llm_nodes.catalogue.sweep_settings import SweepSettings
from ryven_llm_nodes.catalogue.values import Value
from ryven_llm_nodes.catalogue.work import Work
from ryven_llm_nodes.errors import one_line, shown, suggestion

PACKAGE = "ryven_llm_nodes"
BYPASSED = "bypassed"
"""The key of a node's stored data that says so."""
Package = tuple[str, str]
"""A module that is imported, and what to install for it."""


@dataclass(frozen=True)
class Port:
    """A typed connection point. Only equal kinds can be wired: model, dataset, reward, adapter, or a new one."""

    name: str
    kind: str
    optional: bool = False
    help: str = ""

    @property
    def label(self) -> str:
        """What the editor shows next to the pin."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class NodeContext:
    """What a node knows when it makes its cell: its name, its parameters, and what is wired to its inputs.

    ``given`` holds the values that were set; ``inputs`` a value for every input that is wired; ``root`` is the folder
    that relative paths are looked up in; ``processes`` the number of processes that share an optimizer step, and
    ``sharded`` whether the weights are spread over them.
    """

    node: type[LLMNode]
    name: str
    given: Mapping[str, JSON]
    inputs: Mapping[str, Value]
    root: Path
    processes: int = 1
    sharded: bool = False

    def __getitem__(self, parameter: str) -> JSON:
        if parameter in self.given:
            return self.given[parameter]
        return self.node.all_parameters()[parameter].default

    def changed(self, *parameters: str) -> dict[str, JSON]:
        """Those of ``parameters`` whose values are not their defaults."""
        known = self.node.all_parameters()
        return {name: self[name] for name in parameters if self[name] != known[name].default}

    def has(self, parameter: str) -> bool:
        """Whether the node has such a parameter."""
        return parameter in self.node.all_parameters()

    @cached_property
    def label(self) -> str:
        """The node as messages name it: ``DPO 'align'``."""
        return f"{self.node.title} {self.name!r}"


class LLMNode(Node):
    """A node of this package: a class with a ``title``, in a file of its own in the folder of its group.

    It says what it is in class attributes: ``title``, ``tags`` to search by, ports, parameters, and whether it is a
    *stage*. It does something by :meth:`cell`, and may say what it reads (:meth:`fingerprint`) and what can be found
    wrong with it (:meth:`drawn`, :meth:`read`, :meth:`ready`). That is all the other parts know of it. CONTRIBUTING.md
    goes through one.

    All of that is in class methods over a :class:`NodeContext`, so that a flow can be checked and exported without a
    Ryven session. The parameters of a node are stored in the project as plain JSON (``additional_data``), never as a
    pickle, and only where they were set.
    """

    version = "v1"
    position: ClassVar[int] = 100
    """The place among the nodes of its group: those of equal position follow each other by title."""
    stem: ClassVar[str] = "node"
    """What a step without a name of its own is called: an identifier, after which variable and folder are named."""
    icon: ClassVar[str] = "code"
    """The name of a file in ``gui/style/svg/``."""
    accent: ClassVar[str] = ""
    """The kind of value, or the role, whose colour the editor gives to the node."""
    is_stage: ClassVar[bool] = False
    """Whether it has a folder of its own in the output folder, which is cached, reused, resumed and recorded."""
    leaves: ClassVar[str] = ""
    """What is there after a run: a ``model``, a ``report`` or a ``file``; nothing where it only makes a value.

    What makes a value runs before anything is examined, so that what it makes can be looked at.
    """
    compares: ClassVar[bool] = False
    """Whether its report puts the evaluations that are wired to it side by side; a run then makes a page of it."""
    writes: ClassVar[str] = ""
    """The parameter that says where to, where its user chooses the place; a stage writes to a folder of its name."""
    curves: ClassVar[tuple[str, ...]] = ()
    """The metrics that show its progress, the most important first; if one is not logged, the next."""
    inserted_for: ClassVar[str] = ""
    """What of a dataset it changes, where that is the remedy of a finding: ``format`` or ``columns``."""
    companions: ClassVar[Mapping[str, str]] = {}
    """Columns of a dataset that make it expect another."""
    reserved: ClassVar[Mapping[str, str]] = {}
    """Columns that it takes for something if they are there, and for what."""
    sequences: ClassVar[tuple[str, ...]] = ()
    """What a row becomes when the node trains on it, in the order in which its collator returns them: ``chosen`` and
    ``rejected``, or one sequence; nothing where completions are sampled, or where it does not train."""
    in_ports: ClassVar[tuple[Port, ...]] = ()
    out_ports: ClassVar[tuple[Port, ...]] = ()
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    frequent: ClassVar[tuple[str, ...]] = ()
    """Further parameters that are often set: a form shows them right after ``parameters``. A name that an installed
    version does not have is skipped."""
    holds_code: ClassVar[bool] = False
    """Whether it holds Python of its user's, in a parameter called ``code``, which its cell defines."""
    bypassed: bool = False
    """Whether the flow goes past it: what comes in is what goes out, and it is no step of the pipeline."""
    runner: ClassVar[Callable[..., Any] | None] = None
    """Runs a flow up to a node; set by the host of the nodes (``nodes.py``, the editor, a test)."""

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
        """The values that the node was loaded or pasted with: someone else may have set them."""

    # What is stored

    def additional_data(self) -> dict[str, JSON]:
        return {"name": self.name, "params": dict(self.params)} | ({BYPASSED: True} if self.bypassed else {})

    def load_additional_data(self, data: Any) -> None:
        self.name, self.params = stored(data)
        self.bypassed = is_bypassed(data)
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
    def unavailable(cls) -> str:
        """Why the libraries that are installed cannot run it, and what to do; empty where they can."""
        return ""

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the docstring, for a tooltip."""
        return one_line((cls.__doc__ or "").split("\n\n")[0]).replace("``", "")

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        """The text of this node, and what each of its outputs stands for, by name.

        A statement assigns to ``context.name``, and takes what is wired from ``context.inputs``. Called only where
        :meth:`drawn` finds nothing.
        """
        raise NotImplementedError

    @classmethod
    def own_name(cls, given: Mapping[str, JSON]) -> str:
        """The name of a step with the values ``given`` where the user gave it none."""
        return cls.stem

    @classmethod
    def remark(cls, given: Mapping[str, JSON]) -> str:
        """What of the values ``given`` changes so much that it is shown on the node itself; nothing otherwise."""
        return ""

    # What it depends on besides its text

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[tuple[str, Path]]:
        """The local files that it reads itself, each with a name that does not depend on where the flow lies.

        If in doubt, a file is included: a stage whose inputs changed must not be reused. What its code uses is one.
        """
        if cls.holds_code:
            yield from files_of_code(str(context["code"]), context.root).items()

    @classmethod
    def rehearsed(cls, given: Mapping[str, JSON], name: str, steps: int) -> Mapping[str, JSON]:
        """The values of the node called ``name`` in a rehearsal (program/rehearsal.py), instead of ``given``.

        It then works on few rows or for ``steps`` optimizer steps, writes into the output folder only, and sends
        nothing.
        """
        return given

    @classmethod
    def work(cls, context: NodeContext, rows: int, settings: Any) -> Work | None:
        """How much it does with a dataset of ``rows`` rows and the configuration ``settings`` of its trainer, if it has
        one; None where that is not what its time depends on."""
        return None

    @classmethod
    def first_part(cls, given: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
        """The values of a shorter training that one with ``given`` continues, if that is cached; None for none."""
        return None

    @classmethod
    def data_files(cls, context: NodeContext) -> list[Path]:
        """Those of them that hold the rows of a dataset, which may contain invalid rows."""
        return []

    @classmethod
    def packages(cls, context: NodeContext) -> Iterator[Package]:
        """The packages that it needs and that are not installed with this one."""
        yield from ()

    @classmethod
    def pretrained(cls, context: NodeContext) -> Pretrained | None:
        """The model that it loads from the Hub or from a folder, if it does."""
        return None

    @classmethod
    def held(cls, context: NodeContext) -> Held | None:
        """What it holds in memory besides the model that it trains; None if it trains none."""
        return None

    @classmethod
    def fetched(cls, context: NodeContext) -> str | None:
        """Python that loads the rows of the Hub that it reads, so that they are cached.

        Empty if they are streamed while it runs, and None if it reads none of the Hub.
        """
        return None

    @classmethod
    def server(cls, context: NodeContext) -> Server | None:
        """The server that it generates with, if it does not generate itself."""
        return None

    @classmethod
    def elastic(cls, context: NodeContext) -> bool:
        """Whether any number of processes leaves the same, but for rounding, and resumes what another has begun."""
        return False

    @classmethod
    def sweep_settings(cls, context: NodeContext) -> SweepSettings | None:
        """The sweep over the flow that it describes, if it does; it is then no part of a run."""
        return None

    # What it leaves behind

    @classmethod
    def measures(cls, context: NodeContext) -> tuple[str, ...] | None:
        """The measures that its report may hold, where that is known before it is made."""
        return None

    @classmethod
    def gives_template(cls, given: Mapping[str, JSON]) -> bool:
        """Whether the model that it leaves may have another chat template than the one it starts from."""
        return "chat_template_path" in given

    @classmethod
    def retokenized(cls, context: NodeContext, tokenizer: Any, tiny_model: Callable[[], Any]) -> Any:
        """The tokenizer of the model that it leaves, made of a copy of that of the one it starts from.

        ``tiny_model`` gives a language model with its vocabulary. What a trainer changes is told by the trainer itself.
        """
        return tokenizer

    @classmethod
    def document(cls, context: NodeContext, script_for: Callable[[Path, bool], str], place: Path) -> str | None:
        """The text of the file at ``place`` that is made from the flow alone, before anything trains.

        ``script_for`` gives the script of the flow as it is written into a folder, in full or lean.
        """
        return None

    @classmethod
    def is_others(cls, place: Path) -> bool:
        """Whether something lies at ``place`` that no run has made, and that a run would overwrite."""
        return False

    # What can be found wrong with it

    @classmethod
    def needs(cls, context: NodeContext) -> tuple[tuple[str, ...], ...]:
        """The groups of columns of which a dataset must have one; its rows are judged by what these hold."""
        return ()

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint | Finding]:
        """As it is drawn, beyond types and ranges: missing files, columns, ... Cheap, and offline.

        Parameters have legal values here; an input may be missing, where it is not connected, or its source is wrong.
        """
        yield from ()

    @classmethod
    def read(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        """Once its rows and the tokenizer and configuration of its model have been read, and no weights yet."""
        yield from ()

    @classmethod
    def ready(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        """Just before it runs, when also the configuration of its trainer (``seen.settings``) has been made."""
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


def is_bypassed(data: Any) -> bool:
    """Whether a node's ``additional data`` says that the flow goes past it."""
    return isinstance(data, dict) and data.get(BYPASSED) is True


def stored(data: Any) -> tuple[str, dict[str, JSON]]:
    """Name and parameters out of a node's ``additional data``, for any content of a file.

    Values of a wrong type or range are left as they are: the check reports them, the user fixes them.
    """
    data = data if isinstance(data, dict) else {}
    name, params = data.get("name", ""), data.get("params", {})
    params = params if isinstance(params, dict) and all(isinstance(key, str) for key in params) else {}
    return (name if isinstance(name, str) else ""), dict(params)
