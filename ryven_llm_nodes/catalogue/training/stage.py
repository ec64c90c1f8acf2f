"""The text of a training stage: the function that makes its configuration, and the call that trains and saves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ryven_llm_nodes.catalogue.cell import PIPELINE, RUNTIME, Cell, call, indent, layout, literal
from ryven_llm_nodes.catalogue.files import FILE_FIELDS
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.places import is_local, path_expression
from ryven_llm_nodes.catalogue.quantization import quantization_imports, quantization_keywords
from ryven_llm_nodes.catalogue.values import AdapterValue, DatasetValue, ModelValue, Value

EXTRA_STEPS: Final = "extra_steps"
"""The parameter of a trainer that is no field of its configuration: see runtime/longer.py."""
STAGE_IMPORTS: Final = ("from pathlib import Path", f"from {RUNTIME}.stages import DEVICE", PIPELINE)


@dataclass(frozen=True)
class Part:
    """What an input or a parameter adds to the text of a stage.

    ``keywords`` are arguments, as Python text, of the call that trains; those that ``Pipeline.train`` does not take
    itself go to the trainer. ``settings`` are fields of the configuration, over those that the parameters gave.
    ``through`` is a function that all fields go through, and its further arguments.
    """

    keywords: Mapping[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    settings: Mapping[str, JSON] = field(default_factory=dict)
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """Assembles the cell of a trainer from the names of its classes, its settings, and the parts of its inputs.

    ``called`` is the class that trains, as an expression: ``trainer``, or what is made of it.
    """

    context: NodeContext
    config: str
    trainer: str
    imports: tuple[str, ...]
    settings: Mapping[str, JSON]
    called: str

    def cell(self, parts: Iterable[Part], left: Mapping[str, Value]) -> Cell:
        """The cell, whose outputs stand for what is ``left``."""
        parts, name = list(parts), self.context.name
        keywords = {key: text for part in parts for key, text in part.keywords.items()}
        settings = {**self.settings, **{key: value for part in parts for key, value in part.settings.items()}}
        train = call("pipeline.train", literal(name), self.called, self._config_name, **keywords)
        return Cell(
            imports=(*STAGE_IMPORTS, *self.imports, *(line for part in parts for line in part.imports)),
            definition=self._config_function(settings, [part.through for part in parts if part.through]),
            statement=f"{name} = {train}",
            values=left,
            config=self._config_name,
            config_class=self.config,
            trainer_class=self.trainer,
        )

    @property
    def _config_name(self) -> str:
        return f"{self.context.name}_config"

    def _config_function(self, settings: Mapping[str, JSON], through: Iterable[tuple[str, ...]]) -> str:
        """A function of its own, so that a check builds the very configuration that the stage trains with."""
        is_below = any(line.startswith(f"from {RUNTIME}") for line in self.imports)  # in the script
        annotation = literal(self.config) if is_below else self.config
        items = (f"{name}={self._text(name, value)}" for name, value in _settled(settings).items())
        fields = "DEVICE | settings | changes"
        for function, *arguments in through:
            fields = call(function, fields, *arguments)
        lines = (
            f"settings = {layout('dict(', items, ')', width=0)}",
            f"return {self.config}(output_dir=str(output_dir), **{fields})",
        )
        signature = f"def {self._config_name}(output_dir: Path, **changes) -> {annotation}:"
        return f"{signature}\n{indent(chr(10).join(lines))}"

    def _text(self, name: str, value: JSON) -> str:
        is_place = name in FILE_FIELDS and isinstance(value, str) and is_local(value, self.context.root)
        return path_expression(value) if is_place else literal(value)


def _settled(settings: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """DEVICE may set bf16, and fp16 is refused together with it."""
    return {**settings, "bf16": False} if settings.get("fp16") and "bf16" not in settings else settings


# The parts that every trainer has


def model_part(
    model: ModelValue, init_kwargs: Mapping[str, JSON] | None, loading: Mapping[str, JSON] = MappingProxyType({})
) -> Part:
    """The model that is trained, and how it is loaded: ``init_kwargs`` are those that the user set on the trainer.

    ``loading`` are those that its trainer would set otherwise than others do.
    """
    init = {**loading, **model.init_kwargs} | dict(init_kwargs or {})
    settings = {"trust_remote_code": True} if model.trust_remote_code else {}
    keywords = {"model": model.expression, **quantization_keywords(model)}
    return Part(keywords, quantization_imports(model), settings | ({"model_init_kwargs": init} if init else {}))


def data_part(context: NodeContext) -> Part:
    """The rows to train on, and those to evaluate on."""
    ports = {"dataset": "train_dataset", "eval_dataset": "eval_dataset"}
    values = {name: context.inputs.get(port) for port, name in ports.items()}
    return Part({name: value.expression for name, value in values.items() if isinstance(value, DatasetValue)})


def adapter_part(context: NodeContext) -> Iterator[Part]:
    """A LoRA adapter to train, which is merged at the end."""
    adapter = context.inputs.get("adapter")
    if isinstance(adapter, AdapterValue):
        module, name = ("sharding", "save_merged_sharded") if context.sharded else ("adapters", "save_merged")
        save = f"partial({name}, keep_adapter=True)" if adapter.keep else name
        imports = (f"from {RUNTIME}.{module} import {name}", *(PARTIAL if adapter.keep else ()))
        yield Part({"peft_config": adapter.expression, "save": save}, imports)


def tokenizer_part(context: NodeContext) -> Part:
    """The tokenizer of the model that is trained, for a trainer that does not load it, when the stage begins."""
    model = context.inputs["model"]
    assert isinstance(model, ModelValue)
    options = {"revision": model.revision} if model.revision else {}
    options |= {"trust_remote_code": True} if model.trust_remote_code else {}
    texts = {name: literal(value) for name, value in options.items()}
    made = call("partial", "padding_tokenizer", model.expression, **texts)
    return Part({"processing_class": made}, (f"from {RUNTIME}.tokenizers import padding_tokenizer", *PARTIAL))


def longer_part(context: NodeContext) -> Iterator[Part]:
    """Steps after the end of the schedule."""
    if steps := context[EXTRA_STEPS]:
        imports = (f"from {RUNTIME}.longer import train_longer", *PARTIAL)
        yield Part({"fit": f"partial(train_longer, extra_steps={literal(steps)})"}, imports)


def timeout_part(context: NodeContext) -> Iterator[Part]:
    """How long processes wait for each other, where that was set."""
    if context.changed("ddp_timeout"):
        yield Part(imports=(f"from {RUNTIME}.timeouts import with_timeout",), through=("with_timeout",))


PARTIAL: Final = ("from functools import partial",)
