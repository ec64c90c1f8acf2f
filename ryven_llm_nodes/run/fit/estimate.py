"""The memory that each part of a stage takes, from the configurations of its models alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ryven_llm_nodes.program import Step
from ryven_llm_nodes.run.examine.configs import completion_length
from ryven_llm_nodes.run.examine.opened import Opened
from ryven_llm_nodes.run.fit.optimizers import state_bytes
from ryven_llm_nodes.run.fit.workload import Configs, Workload, longest_batch, workload
from ryven_llm_nodes.run.library_warnings import unheard

SAMPLING: Final = "generation"
OTHER: Final = 15_000_000
"""What a trainer itself takes of main memory, as measured: the tokenizer, rows, logs."""


@dataclass(frozen=True)
class Estimate:
    """The parts of the memory of a stage in bytes, by name; ``generation`` is there before, not with activations."""

    parts: Mapping[str, int]

    @property
    def peak(self) -> int:
        """The most memory that is in use at one time."""
        both = {"gradients", "activations"}
        step = sum(self.parts.get(name, 0) for name in both)
        held = sum(size for name, size in self.parts.items() if name not in both | {SAMPLING})
        return held + max(step, self.parts.get(SAMPLING, 0))


def estimates(there: Opened, config_of: Configs) -> Iterator[tuple[Step, Estimate]]:
    """Every trainer of a program, with its estimate, in the order in which they run."""
    for step in there.program.steps:
        if there.trains(step):
            work = workload(there.program, there.loaded, step, longest_batch(there, step), config_of)
            if work is not None:
                yield step, estimate(work)


def estimate(work: Workload) -> Estimate:
    """What the stage ``work`` takes. Raises what the libraries raise for a model that they cannot make."""
    with unheard():
        return _estimate(work)


def _estimate(work: Workload) -> Estimate:
    from ryven_llm_nodes.run.fit.simulate import saved_by_quantization, step_sizes

    recipe, shape = _recipe(work), _shape(work)
    sizes = step_sizes(recipe, shape)
    parts = {
        "weights": sizes.weights - saved_by_quantization(recipe, work.bits),
        "gradients": sizes.trained,
        "optimizer": state_bytes(work.settings, sizes.trained),
        "activations": max(sizes.dynamic - sizes.trained, 0),
    }
    for frozen in work.frozen:
        parts[frozen.name] = parts.get(frozen.name, 0) + _frozen_bytes(frozen)
    if work.settings.use_cpu:
        parts["other"] = OTHER
    if work.batch.samples:
        parts[SAMPLING] = _generation(work, recipe)
    return Estimate(parts)


def _recipe(work: Workload) -> Any:
    from ryven_llm_nodes.run.fit.simulate import Recipe

    settings = work.settings
    return Recipe(
        config=work.policy,
        dtype=_torch_dtype(work.dtype, work.policy),
        head=work.held.head,
        adapter=work.adapter,
        checkpointing=bool(settings.gradient_checkpointing),
        autocast=_autocast(settings),
        attention=work.attention,
        accumulates=settings.gradient_accumulation_steps > 1,
        on_gpu=not settings.use_cpu,
        critic=work.critic,
    )


def _shape(work: Workload) -> Any:
    """The sequences of a forward pass. Without padding they are one long sequence."""
    from ryven_llm_nodes.run.fit.simulate import Shape

    settings, lengths = work.settings, work.batch.lengths
    if work.batch.samples:
        length = max(lengths) + completion_length(settings)
        return Shape(settings.per_device_train_batch_size, length, len(set(lengths)) > 1)
    if getattr(settings, "padding_free", False) or getattr(settings, "packing", False):
        return Shape(1, sum(lengths), False)
    return Shape(len(lengths), max(lengths), len(set(lengths)) > 1)


def _generation(work: Workload, recipe: Any) -> int:
    from ryven_llm_nodes.run.fit.simulate import Shape, generation_bytes

    settings = work.settings
    count = getattr(settings, "generation_batch_size", None) or settings.per_device_train_batch_size
    shape = Shape(count // settings.world_size, max(work.batch.lengths), len(set(work.batch.lengths)) > 1)
    return generation_bytes(replace(recipe, adapter=None), shape, completion_length(settings))


def _frozen_bytes(frozen: Any) -> int:
    from ryven_llm_nodes.run.fit.simulate import weight_bytes

    head = "scores" if frozen.scores else "log_probs"
    return weight_bytes(frozen.config, _torch_dtype(frozen.dtype, frozen.config), head)


def _torch_dtype(name: str, config: Any) -> Any:
    import torch

    found = getattr(torch, name) if name != "auto" else config.dtype
    return found if isinstance(found, torch.dtype) else torch.float32


def _autocast(settings: Any) -> Any:
    import torch

    if settings.bf16:
        return torch.bfloat16
    return torch.float16 if settings.fp16 else None
