"""What each stage of a flow would take on a cluster under each strategy, and which one is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from ryven_llm_nodes.program import Program
from ryven_llm_nodes.program import Step as Stage
from ryven_llm_nodes.program.launch.settings import STRATEGIES
from ryven_llm_nodes.run.examine.configs import completion_length
from ryven_llm_nodes.run.examine.opened import Opened
from ryven_llm_nodes.run.examine.preview import sample_of
from ryven_llm_nodes.run.fit.estimate import estimate
from ryven_llm_nodes.run.fit.workload import Batch, Workload, batch_of, loaded_config, workload
from ryven_llm_nodes.run.planning.formulae import FITS, SPREAD, Step, forward_flops, memory_by_part, peak
from ryven_llm_nodes.run.planning.hardware import PER_MACHINE, Cluster

GLOBAL: Final = "global_batch_size"
"""The setting that fixes the rows of an optimizer step."""
COMPUTED: Final = 2
"""Bytes of a weight as it is computed with, and communicated: bfloat16."""
GATHERED: Final = "gathered"
"""The part of the weights that a process has put together at one time: two layers, and embeddings or head."""


@dataclass(frozen=True)
class Option:
    """A strategy: bytes of each part on a GPU, bytes that a GPU sends per step, and the seconds of a step."""

    strategy: str
    parts: Mapping[str, float]
    fits: bool
    traffic: float
    seconds: float

    @property
    def memory(self) -> float:
        """The most bytes at one time on each GPU."""
        return peak(self.parts)


@dataclass(frozen=True)
class StagePlan:
    """A stage with its options, the best first; ``tokens`` are those that a GPU trains on per step."""

    stage: str
    weights: float
    steps: int
    tokens: float
    options: tuple[Option, ...]
    main_memory: float

    @property
    def chosen(self) -> Option | None:
        """The fastest option that fits; of equally fast ones the simplest."""
        return next((option for option in self.options if option.fits), None)

    @property
    def seconds(self) -> float:
        """How long the stage takes as chosen; 0 if nothing fits."""
        return self.steps * self.chosen.seconds if self.chosen else 0.0


def plan(there: Opened, cluster: Cluster) -> Iterator[StagePlan]:
    """The plan of every trainer of a program, in the order in which they run. Raises FlowError for unreadable rows."""
    for stage in there.program.steps:
        if there.trains(stage) and (found := _planned(there, stage, cluster)):
            yield found


def _planned(there: Opened, stage: Stage, cluster: Cluster) -> StagePlan | None:
    program, root = there.program, there.program.graph.root
    rows = there.prepared(stage, sample_of(len(there.dataset(stage))))
    nothing = Batch((1,), samples=False)
    first = workload(program, there.loaded, stage, nothing, lambda model: loaded_config(model, root))
    if first is None:
        return None
    settings = _on_gpu(first.settings)
    if rows_per_step := _global_batch(stage):
        each = settings.per_device_train_batch_size * cluster.count
        settings.gradient_accumulation_steps = max(1, rows_per_step // each)
    work = replace(first, settings=settings, batch=batch_of(rows, settings, not stage.node.sequences))
    parts = estimate(work).parts
    step = _step(program, stage, work, parts, _mean_tokens(rows, work))
    options = [_option(strategy, parts, step, work, cluster) for strategy in _strategies(cluster)]
    ranked = sorted(options, key=lambda option: (not option.fits, round(option.seconds, 3)))
    return StagePlan(
        stage.name,
        parts["weights"] / _itemsize(work),
        _steps(work, len(there.dataset(stage)), cluster.count),
        step.tokens * step.batches,
        tuple(ranked),
        min(cluster.count, PER_MACHINE) * (parts["weights"] + parts.get("reference", 0)),
    )


def _global_batch(stage: Stage) -> int | None:
    """The rows of an optimizer step, where they are the same for any number of GPUs."""
    return stage.setting(GLOBAL) if GLOBAL in stage.node.all_parameters() else None


def _strategies(cluster: Cluster) -> tuple[str, ...]:
    return ("one",) if cluster.count == 1 else tuple(name for name in STRATEGIES if name != "one")


def _on_gpu(settings: Any) -> Any:
    """The settings as they are where there is a GPU."""
    settings = copy(settings)
    for name, value in {"use_cpu": False, "bf16": not settings.fp16}.items():
        setattr(settings, name, value)
    return settings


def _itemsize(work: Workload) -> int:
    import torch

    found = getattr(torch, work.dtype) if work.dtype != "auto" else work.policy.dtype
    return found.itemsize if isinstance(found, torch.dtype) else torch.float32.itemsize


def _mean_tokens(rows: Any, work: Workload) -> float:
    """The tokens of all sequences of a row; of a sampled completion, as many as it may have."""
    lengths = [len(sequence.ids) - sequence.cut for sequence in rows.sequences]
    number = len({sequence.row for sequence in rows.sequences}) or 1
    extra = completion_length(work.settings) if work.batch.samples else 0
    return sum(lengths) / number + extra


def _step(program: Program, stage: Stage, work: Workload, parts: Mapping[str, float], tokens: float) -> Step:
    settings, text = work.settings, work.policy.get_text_config()
    weights = parts["weights"] / _itemsize(work)
    trained = parts["gradients"] / parts["weights"]
    iterations = getattr(settings, "num_iterations", 1) or 1
    context = tokens / max(len(stage.node.sequences), 1)
    return Step(
        tokens=tokens * settings.per_device_train_batch_size,
        batches=settings.gradient_accumulation_steps,
        flops=forward_flops(weights, text.num_hidden_layers, text.hidden_size, context),
        weights=weights * COMPUTED,
        gradients=parts["gradients"],
        trained=trained,
        frozen=float(_compares(program, stage)) + (1 if "reward model" in parts else 0),
        recomputes=bool(settings.gradient_checkpointing),
        generated=round(completion_length(settings) / iterations) if work.batch.samples else 0,
    )


def _compares(program: Program, stage: Stage) -> bool:
    """Whether a reference reads the rows, be it the policy itself without its adapter."""
    context = program.context(stage)
    inputs = {port: value for port, value in context.inputs.items() if port != "adapter"}
    held = stage.node.held(replace(context, inputs=inputs))
    return bool(held and held.reference) or "reference" in context.inputs


def _option(strategy: str, parts: Mapping[str, int], step: Step, work: Workload, cluster: Cluster) -> Option:
    made = memory_by_part(parts, strategy, cluster.count)
    if "weights" in SPREAD[strategy]:
        made[GATHERED] = _gathered(work, step)
    fits = peak(made) <= FITS * cluster.gpu.memory
    return Option(strategy, made, fits, step.traffic(strategy, cluster.count), step.seconds(strategy, cluster))


def _gathered(work: Workload, step: Step) -> float:
    text = work.policy.get_text_config()
    table = text.vocab_size * text.hidden_size * COMPUTED
    return 2 * (step.weights - 2 * table) / text.num_hidden_layers + table if step.weights > 2 * table else step.weights


def _steps(work: Workload, rows: int, processes: int) -> int:
    """The optimizer steps of a stage."""
    settings = work.settings
    if settings.max_steps > 0:
        return settings.max_steps
    copies = getattr(settings, "num_generations", 1) or 1
    batch = settings.per_device_train_batch_size * settings.gradient_accumulation_steps * processes
    passes = getattr(settings, "num_iterations", 1) or 1
    return max(1, round(settings.num_train_epochs * passes * rows * copies / batch))
