"""What a wire carries: Python text that stands for a model, a dataset, a reward, or an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from ryven_llm_nodes.catalogue.parameters import JSON


@dataclass(frozen=True, kw_only=True)
class Value:
    """Something on a wire. ``expression`` is Python that evaluates to it among the statements of a script."""

    expression: str

    def called(self, name: str) -> Self:
        """The same value under the name ``name``, as a stage is compared with others that may call it otherwise.

        What it depends on counts there by its key. A value that holds more Python text than ``expression`` overrides
        this, and puts ``name`` into that text too.
        """
        return replace(self, expression=name)

    @property
    def taken_names(self) -> frozenset[str]:
        """The names that its node's code defines at module level for others to use, such as a reward function.

        All other names of that code must not meet a name of the rest of the script.
        """
        return frozenset()


@dataclass(frozen=True, kw_only=True)
class ModelValue(Value):
    """A model: an expression for its location, and how it is to be loaded from there.

    ``init`` holds keyword arguments of ``from_pretrained`` that differ from TRL's own (dtype float32, ...).
    ``revision`` belongs to the location itself, so a model that a stage has written has none. ``quantization`` is a
    name of ``catalogue/quantization.py``; stages write models in full.
    """

    init: Mapping[str, JSON] = field(default_factory=lambda: MappingProxyType({}))
    revision: str | None = None
    trust_remote_code: bool = False
    quantization: str = ""

    @property
    def init_kwargs(self) -> dict[str, JSON]:
        """Every keyword argument of ``from_pretrained`` but ``trust_remote_code``."""
        return {**self.init, **({"revision": self.revision} if self.revision else {})}

    @property
    def bits(self) -> int | None:
        """Of a weight that is quantized: ``4`` of ``4-bit``; None if none are."""
        return int(self.quantization.partition("-")[0]) if self.quantization else None

    def trained(self, expression: str) -> ModelValue:
        """The model that training made of this one: a folder, so without the revision that it was loaded from."""
        return replace(self, expression=expression, revision=None)


@dataclass(frozen=True, kw_only=True)
class DatasetValue(Value):
    """A dataset; ``columns`` as far as they are known before it is loaded.

    ``functions`` are those of its node's code that its statement calls.
    """

    columns: tuple[str, ...] | None = None
    functions: frozenset[str] = frozenset()

    @property
    def taken_names(self) -> frozenset[str]:
        return self.functions


@dataclass(frozen=True, kw_only=True)
class CodeValue(Value):
    """What the code of a node defines: functions that a model may call, or a class. ``functions`` are their names."""

    functions: frozenset[str] = frozenset()

    @property
    def taken_names(self) -> frozenset[str]:
        return self.functions


@dataclass(frozen=True, kw_only=True)
class ArgumentsValue(Value):
    """Functions that a node's code defines for a trainer: their names, by the argument of the trainer.

    ``batched`` is whether the first also takes ``compute_result``, as it must where it is called once per batch.
    """

    arguments: Mapping[str, str]
    batched: bool = False

    def called(self, name: str) -> Self:
        return replace(self, arguments={argument: f"{name}_{argument}" for argument in self.arguments})

    @property
    def taken_names(self) -> frozenset[str]:
        return frozenset(self.arguments.values())


@dataclass(frozen=True, kw_only=True)
class RewardPart:
    """One reward callable with TRL's signature.

    ``expression`` evaluates to it. ``symbol`` is the global name that provides it: a function, or the class of a reward
    model. ``owner`` is the name of the step that declares it, ``columns`` what of the dataset it cannot do without.
    """

    expression: str
    symbol: str
    owner: str
    weight: float = 1.0
    imports: tuple[str, ...] = ()
    is_async: bool = False
    columns: tuple[str, ...] = ()

    def times(self, weight: float) -> RewardPart:
        """The same reward, with its weight multiplied by ``weight``."""
        return replace(self, weight=self.weight * weight)


@dataclass(frozen=True, kw_only=True)
class RewardValue(Value):
    """One or several weighted rewards."""

    expression: str = ""
    parts: tuple[RewardPart, ...] = ()

    def called(self, name: str) -> Self:
        parts = (replace(p, expression=f"{name}_{i}", symbol=f"{name}_{i}") for i, p in enumerate(self.parts))
        return replace(self, parts=tuple(parts))

    @property
    def taken_names(self) -> frozenset[str]:
        return frozenset(part.symbol for part in self.parts)

    @property
    def weights(self) -> list[float]:
        """The weight of each part, or nothing where all are 1."""
        weights = [part.weight for part in self.parts]
        return [] if all(weight == 1 for weight in weights) else weights

    @property
    def imports(self) -> tuple[str, ...]:
        """The import statements of all parts."""
        return tuple(line for part in self.parts for line in part.imports)


@dataclass(frozen=True, kw_only=True)
class AdapterValue(Value):
    """A LoRA configuration: an expression that makes a fresh one each time it is evaluated.

    ``keep`` is whether a stage also saves the adapter next to the merged model.
    """

    keep: bool = False
