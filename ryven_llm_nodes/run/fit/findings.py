"""Stages that do not fit into the memory of this machine, found before they train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.errors import Remedy
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.quantities import size
from ryven_llm_nodes.run.examine.configs import completion_length
from ryven_llm_nodes.run.examine.look import Look
from ryven_llm_nodes.run.examine.rules.models import modules_of
from ryven_llm_nodes.run.fit.device import Device, device
from ryven_llm_nodes.run.fit.estimate import Estimate, estimate
from ryven_llm_nodes.run.fit.workload import Batch, Workload, batch_of, loaded_config, workload
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.system.causes import describe

PORT: Final = "dataset"
CHECKPOINTING: Final = "gradient_checkpointing"
BATCH: Final = "per_device_train_batch_size"
SHARE: Final = 0.5
"""A stage that takes less than this share of the memory by a rough, high guess is not estimated."""
PER_WEIGHT: Final = 4 * 6
"""Bytes of that guess per weight: float32 weights, gradients, two moments, a reference, and a critic."""
PER_UNIT: Final = 4 * 80
"""Bytes of that guess for each token and unit of a layer."""
PER_TOKEN: Final = 4 * 8 * 32768
"""Bytes of that guess for each token at the head, which computes log-probabilities in chunks."""

known_device = lru_cache(maxsize=1)(device)


def fit_findings(program: Program, loaded: LoadedProgram, step: Step, look: Look) -> Iterator[Finding]:
    """A warning if the trainer ``step`` needs more memory than there is; the rows of ``look`` have been read."""
    here = known_device()
    if not look.has("rows") or PORT not in look.rows or look.seen.settings is None or look.seen.tokenizer is None:
        return
    if _guess(look) < here.size * SHARE:
        return
    try:
        work = workload(program, loaded, step, _batch(look), lambda model: loaded_config(model, program.graph.root))
        found = estimate(work) if work is not None else None
        if work is not None and found is not None and found.peak > here.size:
            yield _too_large(work, found, here)
    except Exception as error:  # of a model that cannot be made without weights; it may train all the same
        yield Finding("", f"its memory cannot be estimated, and may be too little: {describe(error)}", "note")


def _guess(look: Look) -> float:
    """More memory than the stage needs."""
    settings, text = look.seen.settings, look.seen.config.get_text_config()
    weights = sum(
        tensor.numel()
        for _, module in modules_of(look.seen.config)
        for tensor in module._parameters.values()
        if tensor is not None
    )
    longest = max((len(ids) for _, ids in look.rendered(PORT).tokens), default=0)
    length = (
        longest + completion_length(settings)
        if look.samples
        else min(longest, getattr(settings, "max_length", None) or longest)
    )
    tokens = length * settings.per_device_train_batch_size * max(len(look.context.node.sequences), 1)
    return weights * PER_WEIGHT + tokens * (PER_UNIT * text.num_hidden_layers * text.hidden_size + PER_TOKEN)


def _batch(look: Look) -> Batch:
    settings = look.seen.settings
    if not look.samples:
        return batch_of(look.prepared(PORT), settings, samples=False)
    count = -(-settings.per_device_train_batch_size // getattr(settings, "num_generations", 1))
    lengths = sorted((len(ids) for _, ids in look.rendered(PORT).tokens), reverse=True)
    return Batch(tuple(lengths[:count]), samples=True)


# What is said


def _too_large(work: Workload, found: Estimate, here: Device) -> Finding:
    parts = ", ".join(f"{name} {size(bytes_)}" for name, bytes_ in found.parts.items() if bytes_)
    place, has = ("", f"{here.name} has {size(here.size)}")
    text = f"needs about {size(found.peak)} at its peak ({parts}), and the {has}."
    better = [(words, remedy, estimate(other).peak) for words, remedy, other in _smaller(work)]
    fitting = next(((words, remedy, peak) for words, remedy, peak in better if peak <= here.size), None)
    if fitting is not None:
        words, remedy, peak = fitting
        return Finding(place, f"{text} {words} it would need about {size(peak)}.", "warning", remedy=remedy)
    words, _, peak = min(better, key=lambda one: one[2], default=("", None, found.peak))
    rest = f" Even {words[0].lower()}{words[1:]} it would need about {size(peak)};" if words else ""
    return Finding(place, f"{text}{rest} use a smaller model, or shorter rows.", "warning")


def _smaller(work: Workload) -> Iterator[tuple[str, Remedy | None, Workload]]:
    """What takes less memory: in words, as a setting if it is one, and as a workload."""
    settings = work.settings
    if not settings.gradient_checkpointing:
        yield f"With {CHECKPOINTING}", Remedy(CHECKPOINTING, True), _set(work, gradient_checkpointing=True)
    if settings.per_device_train_batch_size > 1 and not work.batch.samples:
        one = replace(_set(work, per_device_train_batch_size=1), batch=_one_row(work))
        yield f"With {BATCH} 1", Remedy(BATCH, 1), one
    if work.adapter is None:
        yield "With LoRA", None, _adapted(work)
        yield f"With LoRA and {CHECKPOINTING}", None, _set(_adapted(work), gradient_checkpointing=True)


def _one_row(work: Workload) -> Batch:
    rows = max(len(work.batch.lengths) // work.settings.per_device_train_batch_size, 1)
    return replace(work.batch, lengths=work.batch.lengths[:rows])


def _set(work: Workload, **changes: Any) -> Workload:
    from copy import copy

    settings = copy(work.settings)
    for name, value in changes.items():
        setattr(settings, name, value)
    return replace(work, settings=settings)


def _adapted(work: Workload) -> Workload:
    from peft import LoraConfig

    adapter = LoraConfig(
        r=8, target_modules="all-linear", task_type="SEQ_CLS" if work.held.head == "scores" else "CAUSAL_LM"
    )
    frozen = tuple(one for one in work.frozen if one.name != "reference")
    return replace(work, adapter=adapter, frozen=frozen)
